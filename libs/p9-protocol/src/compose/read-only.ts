import { Errno } from '../errno.ts';
import type { FileNode, FileSystem } from '../filesystem.ts';
import { OpenFlags } from '../wire/flags.ts';

const refused = () => -Errno.EROFS;

/**
 * The same filesystem, but nothing in it can be changed: every change is answered EROFS, and so is opening for writing.
 * All else goes to `fs` itself; locks too, which change no file.
 *
 * What it is made of is `fs`'s: dispose of `fs`, if it needs that, not of this.
 */
export function readOnly<N extends FileNode, F extends object>(fs: FileSystem<N, F>): FileSystem<N, F> {
  return {
    attach: fs.attach.bind(fs),
    walk: fs.walk.bind(fs),
    getattr: fs.getattr.bind(fs),
    read: fs.read.bind(fs),
    readdir: fs.readdir.bind(fs),
    open: (node, flags, call) => (opensForWriting(flags) ? -Errno.EROFS : fs.open(node, flags, call)),
    ...optional(fs),
    setattr: refused,
    write: refused,
    create: refused,
    mkdir: refused,
    symlink: refused,
    mknod: refused,
    link: refused,
    renameat: refused,
    unlinkat: refused,
    rename: refused,
    remove: refused,
    setxattr: refused,
    removexattr: refused,
  };
}

/** Methods that change nothing and may be absent: what is absent stays so, and is answered as the server answers it. */
function optional<N extends FileNode, F extends object>(fs: FileSystem<N, F>): Partial<FileSystem<N, F>> {
  return {
    ...(fs.retain && { retain: fs.retain.bind(fs) }),
    ...(fs.release && { release: fs.release.bind(fs) }),
    ...(fs.statfs && { statfs: fs.statfs.bind(fs) }),
    ...(fs.readlink && { readlink: fs.readlink.bind(fs) }),
    ...(fs.close && { close: fs.close.bind(fs) }),
    ...(fs.fsync && { fsync: fs.fsync.bind(fs) }),
    ...(fs.lock && { lock: fs.lock.bind(fs) }),
    ...(fs.getlock && { getlock: fs.getlock.bind(fs) }),
    ...(fs.getxattr && { getxattr: fs.getxattr.bind(fs) }),
    ...(fs.listxattr && { listxattr: fs.listxattr.bind(fs) }),
  };
}

function opensForWriting(flags: number): boolean {
  return (flags & OpenFlags.accessMode) !== OpenFlags.readOnly || (flags & OpenFlags.truncate) !== 0;
}
