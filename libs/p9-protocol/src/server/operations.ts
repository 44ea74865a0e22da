import { Errno } from '../errno.ts';
import { MessageType } from '../wire/messages.ts';
import type { Answer } from './answer.ts';
import { getattr, readlink, setattr, statfs } from './attribute-operations.ts';
import { create, fsync, getlock, lock, open, read, readdir, write } from './file-operations.ts';
import { link, mkdir, mknod, remove, rename, renameat, symlink, unlinkat } from './name-operations.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import type { Request } from './request.ts';
import type { SessionFids } from './session-fids.ts';
import { attach, clunk, walk } from './tree-operations.ts';
import { xattrcreate, xattrwalk } from './xattr-operations.ts';

/**
 * Serves one well-formed request of a session. An operation writes its reply's body behind the header, and says how long the reply is.
 */
export function operate(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  switch (request.type) {
    case MessageType.Tgetattr:
      return getattr(fids, request, reply);
    case MessageType.Tread:
      return read(fids, request, reply);
    case MessageType.Twrite:
      return write(fids, request, reply);
    case MessageType.Twalk:
      return walk(fids, request, reply);
    case MessageType.Tclunk:
      return clunk(fids, request);
    case MessageType.Tlopen:
      return open(fids, request, reply);
    case MessageType.Treaddir:
      return readdir(fids, request, reply);
    case MessageType.Tlcreate:
      return create(fids, request, reply);
    case MessageType.Tunlinkat:
      return unlinkat(fids, request);
    case MessageType.Tsetattr:
      return setattr(fids, request);
    case MessageType.Tattach:
      return attach(fids, request, reply);
    case MessageType.Tstatfs:
      return statfs(fids, request, reply);
    case MessageType.Treadlink:
      return readlink(fids, request, reply);
    case MessageType.Tsymlink:
      return symlink(fids, request, reply);
    case MessageType.Tmknod:
      return mknod(fids, request, reply);
    case MessageType.Tmkdir:
      return mkdir(fids, request, reply);
    case MessageType.Tlink:
      return link(fids, request);
    case MessageType.Trename:
      return rename(fids, request);
    case MessageType.Trenameat:
      return renameat(fids, request);
    case MessageType.Tremove:
      return remove(fids, request);
    case MessageType.Tfsync:
      return fsync(fids, request);
    case MessageType.Tlock:
      return lock(fids, request, reply);
    case MessageType.Tgetlock:
      return getlock(fids, request, reply);
    case MessageType.Txattrwalk:
      return xattrwalk(fids, request, reply);
    case MessageType.Txattrcreate:
      return xattrcreate(fids, request);
    default:
      // Tauth among them: this answer tells a client that no authentication is needed (attach(5)).
      return -Errno.EOPNOTSUPP;
  }
}
