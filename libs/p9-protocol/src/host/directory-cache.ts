import type { Name } from '../name.ts';
import type { HostNode, HostNodeTree } from './host-node.ts';
import { constants, Stat, statx } from './linux.ts';

const { AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID } = constants;
/** Looks at an entry as opening it with O_PATH and O_NOFOLLOW does. */
const LOOK = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
/** A power of two; at most so many descriptors are held. */
const PLACES = 128;

/**
 * Directories that clients walk through again and again, each with a reference. A walk that comes by need not open one anew: it
 * looks whether the name still leads to the very same directory. While its descriptor is held no other can have its inode number.
 *
 * What is walked through but once is not kept, and neither is what lies on other mounts than the roots, since nobody could unmount these then.
 */
export class DirectoryCache {
  readonly #tree: HostNodeTree;
  /** The mounts that the roots are on; none where the kernel does not tell (before 5.8): then nothing is kept. */
  readonly #mounts: readonly number[];
  readonly #nodes: (HostNode | undefined)[] = new Array(PLACES).fill(undefined);
  /** What was asked for last, by place. */
  readonly #asked = new Int32Array(PLACES);
  #hash = 0;

  constructor(tree: HostNodeTree, roots: readonly HostNode[]) {
    this.#tree = tree;
    this.#mounts = roots.flatMap((root) => (this.#lookAt(root) && this.#tellsMount() ? [this.#mount()] : []));
  }

  /** The directory that has this name below the one that `at` is a descriptor of, with one more reference; undefined if it is not kept. */
  find(directory: HostNode, at: number, name: Name): HostNode | undefined {
    const node = this.#lookUp(directory, name);
    if (node === undefined) return undefined;
    const { bytes, start, length } = name;
    const failed = statx(at, bytes, start, length, LOOK, this.#tree.statBytes);
    if (failed < 0 || !this.#tree.isSame(node) || !this.#isOnMountOfRoot()) {
      this.drop((kept) => kept === node);
      return undefined;
    }
    this.#tree.retain(node);
    this.#tree.fillVersion(node.qid);
    return node;
  }

  /** Keeps the directory that `find` was asked for last and did not find, if it was asked for it before. */
  consider(node: HostNode): void {
    const place = placeOf(this.#hash);
    if (this.#asked[place] !== this.#hash) {
      this.#asked[place] = this.#hash;
      return;
    }
    const before = this.#nodes[place];
    // With one through which others are reached, these would go too.
    if (before !== undefined && before.children > 0) return;
    if (!this.#lookAt(node) || !this.#isOnMountOfRoot()) return;
    this.#tree.retain(node);
    this.#nodes[place] = node;
    if (before !== undefined) this.#tree.release(before);
  }

  /** Keeps those no longer that the test holds for. */
  drop(test: (node: HostNode) => boolean): void {
    for (let place = 0; place < PLACES; place++) {
      const node = this.#nodes[place];
      if (node === undefined || !test(node)) continue;
      this.#nodes[place] = undefined;
      this.#tree.release(node);
    }
  }

  /** The same for one, by its name. */
  dropNamed(directory: HostNode, name: Name): void {
    const node = this.#lookUp(directory, name);
    if (node !== undefined) this.drop((kept) => kept === node);
  }

  #lookUp(directory: HostNode, { bytes, start, length }: Name): HostNode | undefined {
    // The directories of two users are two, and should not take each other's place.
    let hash = directory.inodeLow ^ Math.imul(directory.user, 0x9e37_79b1);
    for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + (bytes[start + i] as number)) | 0;
    this.#hash = hash;
    const node = this.#nodes[placeOf(hash)];
    if (node === undefined || node.parent !== directory || node.nameLength !== length) return undefined;
    for (let i = 0; i < length; i++) if (node.name[i] !== bytes[start + i]) return undefined;
    return node;
  }

  /** Fills the tree's `stat` for what is no longer a name but a descriptor. */
  #lookAt({ fd, name }: HostNode): boolean {
    return statx(fd, name, 0, 0, AT_EMPTY_PATH, this.#tree.statBytes) === 0;
  }

  #isOnMountOfRoot(): boolean {
    return this.#tellsMount() && this.#mounts.includes(this.#mount());
  }

  #mount(): number {
    return this.#tree.stat[Stat.mount] as number;
  }

  #tellsMount(): boolean {
    return ((this.#tree.stat[Stat.mask] as number) & STATX_MNT_ID) !== 0;
  }
}

function placeOf(hash: number): number {
  return (hash ^ (hash >>> 7) ^ (hash >>> 14)) & (PLACES - 1);
}
