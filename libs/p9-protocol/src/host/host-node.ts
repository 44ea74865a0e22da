import { Errno } from '../errno.ts';
import type { FileNode } from '../filesystem.ts';
import { Name } from '../name.ts';
import { Qid, QidType } from '../wire/qid.ts';
import { DirectoryCache } from './directory-cache.ts';
import {
  close,
  constants,
  fstat,
  openat,
  openatStat,
  reopen,
  reopenIn,
  STAT_WORDS,
  Stat,
  statx,
} from './linux.ts';

const PATH_FLAGS = constants.O_PATH | constants.O_NOFOLLOW;
const { S_IFMT, S_IFDIR, S_IFLNK } = constants;

/**
 * A file of the host, held by an O_PATH descriptor and never by its path. The chain of parents and names, by which it was
 * reached, serves to find it again when the descriptor was given up, and is then checked against device, inode and time of birth.
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
  /** When the file was made, as far as known (0: not): inode numbers are used again. Taken when the descriptor is given up. */
  birthSec = 0;
  birthNsec = 0;
  /** The user of the host that its session attached as: who makes files here. */
  user = NO_USER;
  /** Fids that denote the node. */
  references = 0;
  /** Nodes that have it as parent. */
  children = 0;
  /** Open files of it: while there are any it keeps its descriptor, since it may have lost its name. */
  openFiles = 0;
  /** Its place among all nodes. */
  index = 0;
  /** Whether the descriptor was used since `relieve` last came by. */
  isRecent = false;

  get isDirectory(): boolean {
    return this.kind === S_IFDIR;
  }
}

/** "None is named", of n_uname. */
const NO_USER = 0xffffffff;
/** Where a user's own node of the root is found again. */
const ITSELF = Name.from('.');
const DESCRIPTORS = Name.from('/proc/self/fd');
/** Nodes kept for use again. */
const SPARE_NODES = 4096;
/** How many descriptors are given up at a time. */
const RELIEF = 256;

export function isSameFile(a: HostNode, b: HostNode): boolean {
  return (
    a.inodeLow === b.inodeLow &&
    a.inodeHigh === b.inodeHigh &&
    a.deviceLow === b.deviceLow &&
    a.deviceHigh === b.deviceHigh
  );
}

function isName(name: Uint8Array, nameLength: number, { bytes, start, length }: Name): boolean {
  if (nameLength !== length) return false;
  for (let i = 0; i < length; i++) if (name[i] !== bytes[start + i]) return false;
  return true;
}

/** The nodes of one filesystem: from its roots down to whatever fids denote. */
export class HostNodeTree {
  readonly #roots: readonly HostNode[];
  /** The last fstat's words (`Stat` of @vm-tools/linux). */
  readonly stat = new Uint32Array(STAT_WORDS);
  /** The same, for calls: they take bytes faster. */
  readonly statBytes = new Uint8Array(this.stat.buffer);
  /** /proc/self/fd; negative where there is none. */
  readonly #descriptors: number;
  readonly #directories: DirectoryCache;
  readonly #spare: HostNode[] = [];
  /** All nodes but the roots, in no order. */
  readonly #nodes: HostNode[] = [];
  /** The two nodes whose descriptors were asked for last: in use by the operation at hand. */
  #last: HostNode | undefined;
  #beforeLast: HostNode | undefined;
  /** From where a node is being found again. */
  #ancestor: HostNode | undefined;
  #isRelieving = false;
  /** Where `relieve` goes on. */
  #hand = 0;
  /** The first root's. */
  #device: { low: number; high: number } | undefined;
  readonly #deviceIndexes = new Map<string, number>();

  /** @param fds O_PATH descriptors of the roots, owned from now on; at least one */
  constructor(fds: readonly number[]) {
    this.#roots = fds.map((fd) => this.#root(fd));
    this.#directories = new DirectoryCache(this, this.#roots);
    const { bytes, start, length } = DESCRIPTORS;
    this.#descriptors = openat(constants.AT_FDCWD, bytes, start, length, constants.O_PATH, 0);
  }

  #root(fd: number): HostNode {
    const root = new HostNode();
    root.fd = fd;
    root.references = 1;
    const failed = fstat(fd, this.statBytes);
    if (failed < 0) throw new Error(`fstat of the root failed with errno ${-failed}`);
    // Before the first qid is made.
    this.#device ??= { low: this.stat[Stat.dev] as number, high: this.stat[Stat.dev + 1] as number };
    this.identify(root);
    return root;
  }

  close(): void {
    this.#directories.drop(() => true);
    for (const root of this.#roots) {
      if (root.fd >= 0) close(root.fd);
      root.fd = -1;
    }
    if (this.#descriptors >= 0) close(this.#descriptors);
  }

  /** The root of that number, with one reference, for a session of a user; a negative errno if no descriptor is left for it. */
  attach(index: number, user: number): HostNode | number {
    const root = this.#roots[index] as HostNode;
    if (user === NO_USER) {
      root.references++;
      return root;
    }
    const fd = this.openPath(root.fd, ITSELF.bytes, ITSELF.start, ITSELF.length);
    if (fd < 0) return fd;
    const node = this.adopt(root, ITSELF, fd);
    node.user = user;
    return node;
  }

  /** Whether a session got the node by attaching. */
  isRoot(node: HostNode): boolean {
    return node.parent === undefined || isSameFile(node, node.parent);
  }

  /** The entry `name` of a directory, with one reference; a negative errno if it is not there. */
  walk(directory: HostNode, name: Name): HostNode | number {
    const at = this.descriptor(directory);
    if (at < 0) return at;
    const known = this.#directories.find(directory, at, name);
    if (known !== undefined) return known;
    const fd = this.openPath(at, name.bytes, name.start, name.length);
    if (fd < 0) return fd;
    const node = this.adopt(directory, name, fd);
    if (node.isDirectory) this.#directories.consider(node);
    return node;
  }

  /** What a node's descriptor refers to, opened anew to read or write; a negative errno. */
  reopen(fd: number, flags: number): number {
    return this.#descriptors < 0 ? reopen(fd, flags) : reopenIn(this.#descriptors, fd, flags);
  }

  /** An O_PATH descriptor of a directory's entry, not following symlinks, its fstat in `stat`; or a negative errno. */
  openPath(directory: number, name: Uint8Array, start: number, length: number): number {
    const { statBytes } = this;
    let fd = openatStat(directory, name, start, length, PATH_FLAGS, statBytes);
    if (fd < 0 && this.relieve(fd)) fd = openatStat(directory, name, start, length, PATH_FLAGS, statBytes);
    // To a client the want of descriptors is the system's, not its own.
    return fd === -Errno.EMFILE ? -Errno.ENFILE : fd;
  }

  /** A node for what `fd` refers to, whose fstat is in `stat`: the entry `name` of a directory. */
  adopt(directory: HostNode, name: Name, fd: number): HostNode {
    const node = this.#spare.pop() ?? new HostNode();
    node.fd = fd;
    node.references = 1;
    node.isRecent = true;
    node.birthSec = 0;
    node.user = directory.user;
    node.index = this.#nodes.push(node) - 1;
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
   * What keeps inode numbers of other devices below the roots apart: the high 16 bits of a qid's path, 0 for the first root's own
   * device. (Inode numbers above 2^48 are rare enough.)
   */
  deviceBits(low: number, high: number): number {
    if (low === this.#device?.low && high === this.#device.high) return 0;
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
    // No session is left that could walk to them.
    if (node.parent === undefined && node.references === 1) this.#dropBelow(node);
  }

  /** Closes what nobody holds: the descriptor when no fid does, the node when no other node does either. */
  #letGo(released: HostNode): void {
    let node: HostNode | undefined = released;
    while (node !== undefined && node.references === 0) {
      if (node.fd >= 0) close(node.fd);
      node.fd = -1;
      if (node.children > 0) this.#dropBelow(node);
      if (node.children > 0) return;
      const { parent }: HostNode = node;
      node.parent = undefined;
      this.#forget(node);
      if (parent !== undefined) parent.children--;
      node = parent;
    }
  }

  /** Directories that are kept cannot be walked to any more when nobody holds their parent. */
  #dropBelow(parent: HostNode): void {
    // It must not be forgotten together with its last child.
    parent.references++;
    this.#directories.drop((node) => node.parent === parent && !(this.#isRelieving && this.#isInUse(node)));
    parent.references--;
  }

  #forget(node: HostNode): void {
    const last = this.#nodes.pop() as HostNode;
    if (last !== node) {
      this.#nodes[node.index] = last;
      last.index = node.index;
    }
    if (this.#spare.length < SPARE_NODES) this.#spare.push(node);
  }

  /**
   * A descriptor of the node: its own, or one found again by its name. Belongs to the node.
   * A negative errno: ESTALE when something else has that name now.
   */
  descriptor(node: HostNode): number {
    this.#beforeLast = this.#last;
    this.#last = node;
    node.isRecent = true;
    return node.fd >= 0 ? node.fd : this.#findAgain(node);
  }

  /**
   * After a call failed for want of descriptors: gives up some that were not used lately, and says whether to try again. Files
   * that are open keep theirs, and so do the two nodes whose descriptors were asked for last.
   *
   * @param errno negative, of the call that failed
   */
  relieve(errno: number): boolean {
    if (errno !== -Errno.EMFILE && errno !== -Errno.ENFILE) return false;
    const nodes = this.#nodes;
    let freed = 0;
    this.#isRelieving = true;
    this.#directories.drop((node) => {
      if (this.#isInUse(node)) return false;
      if (node.references === 1) freed++;
      return true;
    });
    this.#isRelieving = false;
    // Twice around: the first time may find nothing but recent ones.
    for (let left = 2 * nodes.length; left > 0 && freed < RELIEF; left--) {
      this.#hand = (this.#hand + 1) % nodes.length;
      const node = nodes[this.#hand] as HostNode;
      if (node.fd < 0 || node.openFiles > 0 || this.#isInUse(node)) continue;
      if (node.isRecent) {
        node.isRecent = false;
        continue;
      }
      this.#noteBirth(node);
      close(node.fd);
      node.fd = -1;
      freed++;
    }
    return freed > 0;
  }

  #noteBirth(node: HostNode): void {
    const { stat, statBytes } = this;
    const failed = statx(node.fd, node.name, 0, 0, constants.AT_EMPTY_PATH, statBytes);
    const isKnown = failed === 0 && ((stat[Stat.mask] as number) & constants.STATX_BTIME) !== 0;
    node.birthSec = isKnown ? (stat[Stat.btimeSec] as number) : 0;
    node.birthNsec = isKnown ? (stat[Stat.btimeNsec] as number) : 0;
  }

  #isInUse(node: HostNode): boolean {
    return node === this.#last || node === this.#beforeLast || node === this.#ancestor;
  }

  /** After a directory has lost its name. */
  removed(directory: HostNode, name: Name): void {
    this.#directories.dropNamed(directory, name);
  }

  /** After a rename: nodes that were reached by the old name are to be found by the new one. */
  renamed(oldDirectory: HostNode, oldName: Name, newDirectory: HostNode, newName: Name): void {
    const moved = this.#nodes.filter(
      ({ parent, name, nameLength }) =>
        parent !== undefined && isSameFile(parent, oldDirectory) && isName(name, nameLength, oldName),
    );
    this.#directories.drop((node) => moved.includes(node));
    for (const node of moved) this.place(node, newDirectory, newName);
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
    this.#ancestor = ancestor;
    for (let i = chain.length - 1; i >= 0; i--) {
      const step = chain[i] as HostNode;
      const fd = this.openPath(at, step.name, 0, step.nameLength);
      if (at !== ancestor.fd) close(at);
      if (fd < 0) return fd;
      const failed = statx(fd, step.name, 0, 0, constants.AT_EMPTY_PATH, this.statBytes);
      if (failed < 0 || !this.isSame(step) || !this.#isSameBirth(step)) {
        close(fd);
        return failed < 0 ? failed : -Errno.ESTALE;
      }
      at = fd;
    }
    node.fd = at;
    node.isRecent = true;
    return at;
  }

  #isSameBirth({ birthSec, birthNsec }: HostNode): boolean {
    if (birthSec === 0) return true;
    return this.stat[Stat.btimeSec] === birthSec && this.stat[Stat.btimeNsec] === birthNsec;
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
