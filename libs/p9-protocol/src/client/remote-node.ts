import { P9Error } from '../errno.ts';
import type { AttributeChanges } from '../filesystem.ts';
import { Name } from '../name.ts';
import { OpenFlags, UNLINK_DIRECTORY, XattrFlags } from '../wire/flags.ts';
import type { Qid } from '../wire/qid.ts';
import type { FileAttributes, RemoteFileSystemStatus } from './attributes.ts';
import type { DirectoryEntry } from './directory-entry.ts';
import { FidHandle } from './fid-handle.ts';
import { namesOf, type Path, parentAndName } from './path.ts';
import { type GetattrOptions, RemoteFile } from './remote-file.ts';
import type { CallOptions } from './request.ts';
import { Transfer } from './transfer.ts';

/** "No group", as chown(2) has it. */
const NO_GID = 0xffffffff;

export interface OpenOptions extends CallOptions {
  /** OpenFlags; default `readOnly`. */
  flags?: number | undefined;
}

/** What a new file, directory or node gets. */
export interface CreateOptions extends CallOptions {
  /** Permission bits; for `mknod` the file type as well. Default 0o666 for files and nodes, 0o777 for directories. */
  mode?: number | undefined;
  /** Group; by default none is asked for (0xffffffff), and the server's filesystem decides. */
  gid?: number | undefined;
}

/**
 * A file or directory of the server's that is not open: a fid that was walked to. Paths are seen from it, and `''` is itself. Symlinks in them are not followed by the protocol.
 *
 * Methods reject with P9Error for what the server answers, and as `RawClient.call` does. Fids they need on the way are ended before they settle.
 */
export class RemoteNode extends FidHandle {
  /** The file at `path`; with `''` another handle of this one. */
  async walk(path: Path, options?: CallOptions): Promise<RemoteNode> {
    const { fid, qid } = await this.session.walk(this.fid, namesOf(path), options);
    return new RemoteNode(this.session, fid, qid ?? this.qid);
  }

  async open(path: Path = '', options: OpenOptions = {}): Promise<RemoteFile> {
    const node = await this.walk(path, options);
    try {
      const flags = options.flags ?? OpenFlags.readOnly;
      const opened = await this.session.call({ message: 'Tlopen', fid: node.fid, flags }, options);
      return new RemoteFile(this.session, node.giveUp(), opened);
    } catch (error) {
      return await clunkAndThrow(node, error);
    }
  }

  /** Makes a regular file and opens it, `readWrite` unless flags say otherwise; without `exclusive` among them, a file that is there is opened. */
  async create(path: Path, options: OpenOptions & CreateOptions = {}): Promise<RemoteFile> {
    const { parent, name } = parentAndName(path);
    const node = await this.walk(parent, options);
    try {
      const { flags = OpenFlags.readWrite, mode = 0o666, gid = NO_GID } = options;
      const request = {
        message: 'Tlcreate',
        fid: node.fid,
        name,
        mode,
        gid,
        flags: flags | OpenFlags.create,
      } as const;
      const opened = await this.session.call(request, options);
      return new RemoteFile(this.session, node.giveUp(), opened);
    } catch (error) {
      return await clunkAndThrow(node, error);
    }
  }

  /** The whole content of a file. */
  async readFile(path: Path = '', options?: CallOptions): Promise<Uint8Array> {
    const file = await this.open(path, { ...options, flags: OpenFlags.readOnly });
    return this.session.using(file.fid, () => file.readToEnd(0, options));
  }

  /** Makes `data` the whole content of a file, which is made if it is not there. */
  async writeFile(path: Path, data: Uint8Array, options: CreateOptions = {}): Promise<void> {
    const flags = OpenFlags.writeOnly | OpenFlags.truncate;
    const file = await this.create(path, { ...options, flags });
    await this.session.using(file.fid, () => file.write(data, 0, options));
  }

  /** All entries of a directory, `.` and `..` included where the server lists them. The directory is open as long as the loop over it runs. */
  async *readdir(path: Path = '', options?: CallOptions): AsyncGenerator<DirectoryEntry, void, undefined> {
    const directory = await this.open(path, { ...options, flags: OpenFlags.readOnly | OpenFlags.directory });
    try {
      yield* directory.readdir(0n, options);
    } finally {
      await directory.clunk();
    }
  }

  getattr(path: Path = '', options: GetattrOptions = {}): Promise<FileAttributes> {
    return this.#at(path, options, (fid) => this.attributesOf(fid, options.mask, options));
  }

  setattr(path: Path, changes: AttributeChanges, options?: CallOptions): Promise<void> {
    return this.#at(path, options, (fid) => this.changeAttributesOf(fid, changes, options));
  }

  statfs(path: Path = '', options?: CallOptions): Promise<RemoteFileSystemStatus> {
    return this.#at(path, options, (fid) => this.statusOf(fid, options));
  }

  /** Where a symlink points to: bytes, decoded by `String(...)`. */
  async readlink(path: Path = '', options?: CallOptions): Promise<Name> {
    const call = (fid: number) => this.session.call({ message: 'Treadlink', fid }, options);
    const { target } = await this.#at(path, options, call);
    return new Name(target.slice());
  }

  mkdir(path: Path, options: CreateOptions = {}): Promise<Qid> {
    const { mode = 0o777, gid = NO_GID } = options;
    return this.#inParent(path, options, async (dfid, name) => {
      return (await this.session.call({ message: 'Tmkdir', dfid, name, mode, gid }, options)).qid;
    });
  }

  /** A symlink at `path` that holds `target`, bytes the server does not look at. */
  symlink(target: string | Uint8Array, path: Path, options: Omit<CreateOptions, 'mode'> = {}): Promise<Qid> {
    const bytes = typeof target === 'string' ? new TextEncoder().encode(target) : target;
    const { gid = NO_GID } = options;
    return this.#inParent(path, options, async (dfid, name) => {
      return (await this.session.call({ message: 'Tsymlink', dfid, name, target: bytes, gid }, options)).qid;
    });
  }

  /** A device, FIFO, socket or file; its type is in `mode` (mknod(2)). */
  mknod(path: Path, options: CreateOptions & { major?: number; minor?: number } = {}): Promise<Qid> {
    const { mode = 0o666, major = 0, minor = 0, gid = NO_GID } = options;
    return this.#inParent(path, options, async (dfid, name) => {
      return (await this.session.call({ message: 'Tmknod', dfid, name, mode, major, minor, gid }, options))
        .qid;
    });
  }

  /** A further name, `path`, for the file `existing`. */
  async link(existing: RemoteNode, path: Path, options?: CallOptions): Promise<void> {
    const { fid } = existing;
    return this.#inParent(path, options, async (dfid, name) => {
      await this.session.call({ message: 'Tlink', dfid, fid, name }, options);
    });
  }

  /** Trename: gives this file a new name in `directory`. */
  async rename(directory: RemoteNode, name: string | Uint8Array, options?: CallOptions): Promise<void> {
    const bytes = typeof name === 'string' ? new TextEncoder().encode(name) : name;
    await this.session.call({ message: 'Trename', fid: this.fid, dfid: directory.fid, name: bytes }, options);
  }

  /** Trenameat: the entry `from` becomes the entry `to`, which is seen from `directory` (default: from here, as `from` is). */
  renameat(from: Path, to: Path, options: CallOptions & { directory?: RemoteNode } = {}): Promise<void> {
    const { directory = this } = options;
    return this.#inParent(from, options, (olddirfid, oldname) =>
      directory.#inParent(to, options, async (newdirfid, newname) => {
        await this.session.call({ message: 'Trenameat', olddirfid, oldname, newdirfid, newname }, options);
      }),
    );
  }

  /** Removes an entry; with `directory`, one that is an empty directory. */
  unlink(path: Path, options: CallOptions & { directory?: boolean } = {}): Promise<void> {
    const flags = options.directory === true ? UNLINK_DIRECTORY : 0;
    return this.#inParent(path, options, async (dirfid, name) => {
      await this.session.call({ message: 'Tunlinkat', dirfid, name, flags }, options);
    });
  }

  /** Tremove: removes this file, and ends the handle even if that fails (remove(5)). */
  async remove(): Promise<void> {
    await this.session.remove(this.giveUp());
  }

  /** Value of an extended attribute; ENODATA if there is none. */
  getxattr(path: Path, name: string | Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    const bytes = typeof name === 'string' ? new TextEncoder().encode(name) : name;
    if (bytes.length === 0) return Promise.reject(new P9Error('EINVAL', 'an extended attribute has a name'));
    return this.#at(path, options, (fid) => this.#readXattr(fid, bytes, options));
  }

  /** Names of all extended attributes. */
  async listxattr(path: Path = '', options?: CallOptions): Promise<Name[]> {
    const list = await this.#at(path, options, (fid) => this.#readXattr(fid, new Uint8Array(), options));
    const names: Name[] = [];
    for (let start = 0; start < list.length; ) {
      const nul = list.indexOf(0, start);
      const end = nul < 0 ? list.length : nul;
      names.push(new Name(list, start, end - start));
      start = end + 1;
    }
    return names;
  }

  /** @param options.flags XattrFlags: the attribute must (`replace`) or must not (`create`) be there */
  setxattr(
    path: Path,
    name: string | Uint8Array,
    value: Uint8Array,
    options: CallOptions & { flags?: number } = {},
  ): Promise<void> {
    const bytes = typeof name === 'string' ? new TextEncoder().encode(name) : name;
    const { flags = 0 } = options;
    // Txattrcreate turns the fid into one for the value, so it gets a fid of its own. The attribute is set when that is clunked, and what goes wrong is said then.
    return this.#apart(path, options, async (fid) => {
      await this.session.call(
        { message: 'Txattrcreate', fid, name: bytes, size: BigInt(value.length), flags },
        options,
      );
      await new Transfer(this.session, fid).write(value, 0n, options);
    });
  }

  /** By the protocol: an attribute replaced with a value of no bytes (as Linux's client asks for it). */
  removexattr(path: Path, name: string | Uint8Array, options?: CallOptions): Promise<void> {
    return this.setxattr(path, name, new Uint8Array(), { ...options, flags: XattrFlags.replace });
  }

  /** Txattrwalk: the value of an attribute, or with an empty name the list of names. */
  async #readXattr(fid: number, name: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    const made = await this.session.makeFid(async (newfid) => {
      const { size } = await this.session.call({ message: 'Txattrwalk', fid, newfid, name }, options);
      return { newfid, size };
    });
    return this.session.using(made.newfid, () =>
      new Transfer(this.session, made.newfid).readToEnd(0n, options, Number(made.size)),
    );
  }

  /** Uses the fid of what is at `path`: this one's own, or one for this use. */
  #at<T>(path: Path, options: CallOptions | undefined, use: (fid: number) => Promise<T>): Promise<T> {
    return path.length === 0 ? this.#own(use) : this.#apart(path, options, use);
  }

  async #own<T>(use: (fid: number) => Promise<T>): Promise<T> {
    return use(this.fid);
  }

  async #apart<T>(
    path: Path,
    options: CallOptions | undefined,
    use: (fid: number) => Promise<T>,
  ): Promise<T> {
    const { fid } = await this.session.walk(this.fid, namesOf(path), options);
    return this.session.using(fid, () => use(fid));
  }

  async #inParent<T>(
    path: Path,
    options: CallOptions | undefined,
    use: (fid: number, name: Uint8Array) => Promise<T>,
  ): Promise<T> {
    const { parent, name } = parentAndName(path);
    return this.#at(parent, options, (fid) => use(fid, name));
  }
}

/** Ends a node that nobody will get, and rejects with the error that was the reason. */
async function clunkAndThrow(node: RemoteNode, error: unknown): Promise<never> {
  await node.clunk().catch(() => undefined);
  throw error;
}
