import { QID_SIZE, type Qid } from '../wire/qid.ts';

/** Bytes of an entry without its name: qid[13] offset[8] type[1] name[s]. */
const ENTRY_SIZE = QID_SIZE + 8 + 1 + 2;

const encoder = new TextEncoder();

/** The entries that answer a Treaddir, written straight into its reply. */
export class DirectoryEntries {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #end = 0;
  #limit = 0;

  constructor(bytes: Uint8Array, view: DataView) {
    this.#bytes = bytes;
    this.#view = view;
  }

  /** Starts an answer that may take bytes [start, start + room) of the reply buffer. */
  begin(start: number, room: number): void {
    this.#end = start;
    this.#limit = start + room;
  }

  /** Where the entries end in the reply buffer. */
  get end(): number {
    return this.#end;
  }

  /** Bytes left for further entries; one takes 24 and its name. */
  get room(): number {
    return this.#limit - this.#end;
  }

  /**
   * Adds an entry, or answers false when there is no room for it: then it belongs to the next call.
   *
   * @param next the cookie with which the next call goes on after this entry; not 0
   * @param type DT_* of readdir(3): 4 directory, 8 regular file, 10 symlink, 0 not known
   */
  add(name: string | Uint8Array, qid: Qid, next: bigint | number, type: number): boolean {
    const bytes = typeof name === 'string' ? encoder.encode(name) : name;
    const wide = BigInt(next);
    return this.addRaw(
      bytes,
      0,
      bytes.length,
      qid.type,
      qid.version,
      qid.pathLow,
      qid.pathHigh,
      Number(wide & 0xffffffffn),
      Number((wide >> 32n) & 0xffffffffn),
      type,
    );
  }

  /** `add` without objects: the name is source[start, start + length), 64-bit numbers come as halves. */
  addRaw(
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
    const at = this.#end;
    const end = at + ENTRY_SIZE + length;
    if (end > this.#limit) return false;
    const view = this.#view;
    view.setUint8(at, qidType);
    view.setUint32(at + 1, qidVersion, true);
    view.setUint32(at + 5, pathLow, true);
    view.setUint32(at + 9, pathHigh, true);
    view.setUint32(at + 13, nextLow, true);
    view.setUint32(at + 17, nextHigh, true);
    view.setUint8(at + 21, type);
    view.setUint16(at + 22, length, true);
    const bytes = this.#bytes;
    for (let from = start, to = at + ENTRY_SIZE; to < end; ) bytes[to++] = source[from++] as number;
    this.#end = end;
    return true;
  }
}
