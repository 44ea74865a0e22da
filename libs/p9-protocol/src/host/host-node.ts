import { close, constants, fstat, openat, STAT_WORDS, Stat } from '@vm-tools/linux';
import { Errno } from '../errno.ts';
import type { FileNode } from '../filesystem.ts';
import type { Name } from '../name.ts';
import { Qid, QidType } from '../wire/qid.ts';

const PATH_FLAGS = constants.O_PATH | constants.O_NOFOLLOW;
const { S_IFMT, S_IFDIR, S_IFLNK } = constants;

/**
 * A file of the host, held by an O_PATH descriptor and never by its path. The chain of parents and names, by which it was
 * reached, serves to find it again when the descriptor was given up, and is then checked against device and inode.
 */
export class HostNode implements FileNode {
  readonly qid = new Qid();
  /** -1: given up, to be found again through `parent` and `name`. */
  fd = -1;
  parent: HostNode | undefined;
  name = new Uint8Array(32);
  nameLength = 0;
  /** Type bits of st_mode. */
  kind = 0;
  deviceLow = 0;
  deviceHigh = 0;
  inodeLow = 0;
  inodeHigh = 0;
  /** Fids that denote the node. */
  references = 0;
  /** Nodes that have it as parent. */
  children = 0;

  get isDirectory(): boolean {
    return this.kind === S_IFDIR;
  }
}

/** Nodes kept for use again. */
const SPARE_NODES = 4096;

/** The nodes of one filesystem: from the root down to whatever fids denote. */
export class HostNodeTree {
  readonly root: HostNode;
  /** The last fstat's words (`Stat` of @vm-tools/linux). */
  readonly stat = new Uint32Array(STAT_WORDS);
  readonly #spare: HostNode[] = [];
  readonly #deviceIndexes = new Map<string, number>();

  /** @param fd an O_PATH descriptor of the root, owned from now on */
  constructor(fd: number) {
    const root = new HostNode();
    root.fd = fd;
    root.references = 1;
    const failed = fstat(fd, this.stat);
    if (failed < 0) throw new Error(`fstat of the root failed with errno ${-failed}`);
    this.root = root;
    this.identify(root);
  }

  close(): void {
    if (this.root.fd >= 0) close(this.root.fd);
    this.root.fd = -1;
  }

  /** The entry `name` of a directory, with one reference; a negative errno if it is not there. */
  walk(directory: HostNode, name: Name): HostNode | number {
    const at = this.descriptor(directory);
    if (at < 0) return at;
    const fd = openat(at, name.bytes, name.start, name.length, PATH_FLAGS, 0);
    if (fd < 0) return fd;
    const failed = fstat(fd, this.stat);
    if (failed < 0) {
      close(fd);
      return failed;
    }
    return this.adopt(directory, name, fd);
  }

  /** A node for what `fd` refers to, whose fstat is in `stat`: the entry `name` of a directory. */
  adopt(directory: HostNode, name: Name, fd: number): HostNode {
    const node = this.#spare.pop() ?? new HostNode();
    node.fd = fd;
    node.references = 1;
    this.place(node, directory, name);
    this.identify(node);
    return node;
  }

  /** Remembers by which name the node is reached. */
  place(node: HostNode, directory: HostNode, name: Name): void {
    directory.children++;
    const before = node.parent;
    node.parent = directory;
    if (before !== undefined) {
      before.children--;
      this.#letGo(before);
    }
    const { length } = name;
    if (length > node.name.length) node.name = new Uint8Array(length);
    for (let i = 0; i < length; i++) node.name[i] = name.bytes[name.start + i] as number;
    node.nameLength = length;
  }

  /** Takes type, identity and qid from `stat`. */
  identify(node: HostNode): void {
    const { stat } = this;
    node.kind = (stat[Stat.mode] as number) & S_IFMT;
    node.deviceLow = stat[Stat.dev] as number;
    node.deviceHigh = stat[Stat.dev + 1] as number;
    node.inodeLow = stat[Stat.ino] as number;
    node.inodeHigh = stat[Stat.ino + 1] as number;
    this.fillQid(node.qid);
  }

  /** Makes the qid of the file whose fstat is in `stat`. */
  fillQid(qid: Qid): void {
    const { stat } = this;
    const kind = (stat[Stat.mode] as number) & S_IFMT;
    qid.type = kind === S_IFDIR ? QidType.directory : kind === S_IFLNK ? QidType.symlink : QidType.file;
    this.fillVersion(qid);
    qid.pathLow = stat[Stat.ino] as number;
    qid.pathHigh =
      ((stat[Stat.ino + 1] as number) ^
        this.deviceBits(stat[Stat.dev] as number, stat[Stat.dev + 1] as number)) >>>
      0;
  }

  /** The version follows the modification time, nanoseconds included. */
  fillVersion(qid: Qid): void {
    const { stat } = this;
    qid.version = ((stat[Stat.mtimeSec] as number) ^ ((stat[Stat.mtimeNsec] as number) << 2)) >>> 0;
  }

  /**
   * What keeps inode numbers of other devices below the root apart: the high 16 bits of a qid's path, 0 for the root's own
   * device. (Inode numbers above 2^48 are rare enough.)
   */
  deviceBits(low: number, high: number): number {
    const { root } = this;
    if (low === root.deviceLow && high === root.deviceHigh) return 0;
    const key = `${high}:${low}`;
    let index = this.#deviceIndexes.get(key);
    if (index === undefined) {
      index = this.#deviceIndexes.size + 1;
      this.#deviceIndexes.set(key, index);
    }
    return (index << 16) >>> 0;
  }

  retain(node: HostNode): void {
    node.references++;
  }

  release(node: HostNode): void {
    node.references--;
    this.#letGo(node);
  }

  /** Closes what nobody holds: the descriptor when no fid does, the node when no other node does either. */
  #letGo(released: HostNode): void {
    let node: HostNode | undefined = released;
    while (node !== undefined && node.references === 0) {
      if (node.fd >= 0) close(node.fd);
      node.fd = -1;
      if (node.children > 0) return;
      const { parent }: HostNode = node;
      node.parent = undefined;
      if (this.#spare.length < SPARE_NODES) this.#spare.push(node);
      if (parent !== undefined) parent.children--;
      node = parent;
    }
  }

  /**
   * A descriptor of the node: its own, or one found again by its name. Belongs to the node.
   * A negative errno: ESTALE when something else has that name now.
   */
  descriptor(node: HostNode): number {
    return node.fd >= 0 ? node.fd : this.#findAgain(node);
  }

  /** Gives up what `descriptor` found again for a node that no fid denotes. */
  rest(node: HostNode): void {
    this.#letGo(node);
  }

  #findAgain(node: HostNode): number {
    const chain: HostNode[] = [];
    let ancestor: HostNode | undefined = node;
    while (ancestor !== undefined && ancestor.fd < 0) {
      chain.push(ancestor);
      ancestor = ancestor.parent;
    }
    if (ancestor === undefined) return -Errno.ESTALE;
    let at = ancestor.fd;
    for (let i = chain.length - 1; i >= 0; i--) {
      const step = chain[i] as HostNode;
      const fd = openat(at, step.name, 0, step.nameLength, PATH_FLAGS, 0);
      if (at !== ancestor.fd) close(at);
      if (fd < 0) return fd;
      const failed = fstat(fd, this.stat);
      if (failed < 0 || !this.isSame(step)) {
        close(fd);
        return failed < 0 ? failed : -Errno.ESTALE;
      }
      at = fd;
    }
    node.fd = at;
    return at;
  }

  /** Whether `stat` is of this node's file. */
  isSame(node: HostNode): boolean {
    const { stat } = this;
    return (
      stat[Stat.ino] === node.inodeLow &&
      stat[Stat.ino + 1] === node.inodeHigh &&
      stat[Stat.dev] === node.deviceLow &&
      stat[Stat.dev + 1] === node.deviceHigh
    );
  }
}
