import { Errno } from '../errno.ts';
import type { AttachRequest, Call, Created, FileNode, FileSystem, Outcome } from '../filesystem.ts';
import { isPromise } from '../server/answer.ts';
import { DirectoryEntries } from '../server/directory-entries.ts';
import { Qid } from '../wire/qid.ts';
import type { Place } from './place.ts';
import type { QidRange } from './qid-space.ts';

/**
 * A mounted filesystem: what of it is in use, and its qids as the composition shows them. Its root has the qid of the place where it is mounted.
 *
 * Once it `leave`s, its nodes and files are only to be released and closed: with the last pending promise it lets all of them go by itself.
 */
export class Member {
  readonly fs: FileSystem;
  readonly #place: Place;
  readonly #range: QidRange;
  readonly #nodes = new Set<MemberNode>();
  readonly #files = new Set<MemberFile>();
  readonly #left = Promise.withResolvers<void>();
  readonly #adopt = (inner: FileNode) => this.#adoptNode(inner, false);
  readonly #adoptRoot = (inner: FileNode) => this.#adoptNode(inner, true);
  readonly #adoptFile = (inner: object) => this.#keepFile(inner, false);
  readonly #adoptRootFile = (inner: object) => this.#keepFile(inner, true);
  readonly #adoptBoth = (created: Created<FileNode, object>) => this.#adoptCreated(created);
  #root: Qid | undefined;
  #pending = 0;
  #hasLetGo = false;
  /** It has been unmounted: whatever is asked of it is answered ESTALE. */
  isStale = false;

  constructor(fs: FileSystem, place: Place, range: QidRange) {
    this.fs = fs;
    this.#place = place;
    this.#range = range;
  }

  /** Resolves when no node and no file of the filesystem is held any more, and no promise of it pending; rejects with what a `close` or `release` threw. */
  leave(): Promise<void> {
    this.isStale = true;
    // Not at once: it may be one of its own methods that unmounts it.
    queueMicrotask(() => this.#letGo());
    return this.#left.promise;
  }

  /** Counts a promise that a method gave: what that works with stays until it settles. */
  watch<T>(outcome: T | Promise<T>): T | Promise<T> {
    if (!isPromise(outcome as Outcome<T>)) return outcome;
    this.#pending++;
    return Promise.resolve(outcome).finally(() => {
      this.#pending--;
      this.#letGo();
    });
  }

  attach(who: AttachRequest, call: Call): Outcome<MemberNode> {
    return this.#map(this.fs.attach(who, call), this.#adoptRoot);
  }

  node(outcome: Outcome<FileNode>): Outcome<MemberNode> {
    return this.#map(outcome, this.#adopt);
  }

  /** `isRoot`: the directory that was opened is the filesystem's root. */
  file(outcome: Outcome<object>, isRoot: boolean): Outcome<MemberFile> {
    return this.#map(outcome, isRoot ? this.#adoptRootFile : this.#adoptFile);
  }

  created(outcome: Outcome<Created<FileNode, object>>): Outcome<Created<MemberNode, MemberFile>> {
    return this.#map(outcome, this.#adoptBoth);
  }

  qid(outcome: Outcome<Qid>): Outcome<Qid> {
    return this.#map(outcome, (inner) => {
      const qid = new Qid();
      this.fillQid(qid, inner);
      return qid;
    });
  }

  /** `inner`, a qid of the filesystem's, as the composition shows it. */
  fillQid(qid: Qid, inner: Qid): void {
    qid.type = inner.type;
    qid.version = inner.version;
    const root = this.#root;
    if (inner.pathLow === root?.pathLow && inner.pathHigh === root.pathHigh) {
      qid.pathLow = this.#place.qid.pathLow;
      qid.pathHigh = this.#place.qid.pathHigh;
    } else {
      qid.pathLow = inner.pathLow;
      qid.pathHigh = this.#range.map(inner.pathHigh);
    }
  }

  /** `entries` for the filesystem to add to; `ofRoot` when the root is listed. */
  entriesInto(entries: DirectoryEntries, ofRoot: boolean): DirectoryEntries {
    return new MemberEntries(this, entries, ofRoot ? this.#place.parent?.qid : undefined);
  }

  release(node: MemberNode): void {
    if (--node.references > 0) return;
    this.#nodes.delete(node);
    if (!this.#hasLetGo) this.fs.release?.(node.inner);
    else if (this.#nodes.size === 0) this.#range.giveBack();
  }

  close(file: MemberFile): void {
    this.#files.delete(file);
    if (!this.#hasLetGo) this.fs.close?.(file.inner);
  }

  #map<T extends object, U>(outcome: Outcome<T>, next: (value: T) => U | number): Outcome<U> {
    if (!isPromise(outcome)) return typeof outcome === 'object' ? next(outcome) : outcome;
    return this.watch(outcome.then((value) => (typeof value === 'object' ? next(value) : value)));
  }

  #adoptNode(inner: FileNode, isRoot: boolean): MemberNode | number {
    if (this.isStale) {
      this.fs.release?.(inner);
      return -Errno.ESTALE;
    }
    if (isRoot && this.#root === undefined) {
      this.#root = new Qid(inner.qid.type);
      this.#root.pathLow = inner.qid.pathLow;
      this.#root.pathHigh = inner.qid.pathHigh;
    }
    const node = new MemberNode(this, inner, isRoot);
    this.#nodes.add(node);
    return node;
  }

  #keepFile(inner: object, isRoot: boolean): MemberFile | number {
    if (this.isStale) {
      this.fs.close?.(inner);
      return -Errno.ESTALE;
    }
    const file = new MemberFile(this, inner, isRoot);
    this.#files.add(file);
    return file;
  }

  #adoptCreated(created: Created<FileNode, object>): Created<MemberNode, MemberFile> | number {
    const file = this.#keepFile(created.file, false);
    const node = this.#adoptNode(created.node, false);
    return typeof file === 'number' || typeof node === 'number' ? -Errno.ESTALE : { node, file };
  }

  #letGo(): void {
    if (!this.isStale || this.#pending > 0 || this.#hasLetGo) return;
    this.#hasLetGo = true;
    // One that fails, by a mistake of the filesystem's, must not keep the others.
    const errors: unknown[] = [];
    const attempt = (act: () => void) => {
      try {
        act();
      } catch (error) {
        errors.push(error);
      }
    };
    for (const { inner } of this.#files) attempt(() => this.fs.close?.(inner));
    for (const { inner } of this.#nodes) attempt(() => this.fs.release?.(inner));
    if (this.#nodes.size === 0) this.#range.giveBack();
    if (errors.length === 0) this.#left.resolve();
    else this.#left.reject(errors[0]);
  }
}

/** A node of a mounted filesystem. Its own references are counted: the filesystem gave one. */
export class MemberNode implements FileNode {
  readonly member: Member;
  readonly inner: FileNode;
  readonly isRoot: boolean;
  readonly qid = new Qid();
  references = 1;

  constructor(member: Member, inner: FileNode, isRoot: boolean) {
    this.member = member;
    this.inner = inner;
    this.isRoot = isRoot;
    this.refresh();
  }

  /** The filesystem may have changed its qid: the version follows the content. */
  refresh(): void {
    this.member.fillQid(this.qid, this.inner.qid);
  }
}

/** An open file of a mounted filesystem. */
export class MemberFile {
  readonly member: Member;
  readonly inner: object;
  readonly isRoot: boolean;

  constructor(member: Member, inner: object, isRoot: boolean) {
    this.member = member;
    this.inner = inner;
    this.isRoot = isRoot;
  }
}

const NOTHING = new DataView(new ArrayBuffer(0));
const PERIOD = 0x2e;

/** Passes entries on with the composition's qids. `..` of a mounted root leads out of it. */
class MemberEntries extends DirectoryEntries {
  readonly #member: Member;
  readonly #entries: DirectoryEntries;
  readonly #above: Qid | undefined;
  readonly #inner = new Qid();
  readonly #qid = new Qid();

  constructor(member: Member, entries: DirectoryEntries, above: Qid | undefined) {
    super(new Uint8Array(NOTHING.buffer), NOTHING);
    this.#member = member;
    this.#entries = entries;
    this.#above = above;
  }

  override get end(): number {
    return this.#entries.end;
  }

  override get room(): number {
    return this.#entries.room;
  }

  override addRaw(
    source: Uint8Array,
    start: number,
    length: number,
    qidType: number,
    qidVersion: number,
    pathLow: number,
    pathHigh: number,
    nextLow: number,
    nextHigh: number,
    type: number,
  ): boolean {
    const inner = this.#inner;
    inner.type = qidType;
    inner.version = qidVersion;
    inner.pathLow = pathLow;
    inner.pathHigh = pathHigh;
    let qid = this.#qid;
    const leadsOut = length === 2 && source[start] === PERIOD && source[start + 1] === PERIOD;
    if (leadsOut && this.#above !== undefined) qid = this.#above;
    else this.#member.fillQid(qid, inner);
    const { type: shownType, version, pathLow: low, pathHigh: high } = qid;
    return this.#entries.addRaw(
      source,
      start,
      length,
      shownType,
      version,
      low,
      high,
      nextLow,
      nextHigh,
      type,
    );
  }
}
