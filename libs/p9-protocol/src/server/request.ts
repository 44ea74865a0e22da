import type { Call } from '../filesystem.ts';
import { Name } from '../name.ts';

/**
 * The request being served, read in place: `bytes[start, end)` is its frame. One object serves all requests that are
 * answered at once; a request that waits for a promise keeps its own.
 */
export class Request implements Call {
  bytes: Uint8Array = NOTHING;
  view: DataView = NO_VIEW;
  start = 0;
  end = 0;
  type = 0;
  tag = 0;
  /** The names of the request, valid as long as it is served. */
  readonly first = new Name();
  readonly second = new Name();
  /** Made when the filesystem asks for the signal. */
  #abort: AbortController | undefined;

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  /** Nobody waits for the answer any more. */
  abort(): void {
    this.#abort?.abort();
  }

  at(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    this.bytes = bytes;
    this.view = view;
    this.start = start;
    this.end = end;
    this.type = view.getUint8(start + 4);
    this.tag = view.getUint16(start + 5, true);
    this.#abort = undefined;
  }

  u8(offset: number): number {
    return this.view.getUint8(this.start + offset);
  }
  u16(offset: number): number {
    return this.view.getUint16(this.start + offset, true);
  }
  u32(offset: number): number {
    return this.view.getUint32(this.start + offset, true);
  }
  /** An u64 as number: exact up to 2^53, and beyond that still beyond any file size. */
  u64(offset: number): number {
    const at = this.start + offset;
    return this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 0x1_0000_0000;
  }
  u64Exact(offset: number): bigint {
    return this.view.getBigUint64(this.start + offset, true);
  }
  /** A signed 64-bit number: times before 1970. */
  i64(offset: number): number {
    const at = this.start + offset;
    return this.view.getUint32(at, true) + this.view.getInt32(at + 4, true) * 0x1_0000_0000;
  }
  /** Points `name` at the string at `offset`; the offset behind it. */
  string(offset: number, name: Name): number {
    const at = this.start + offset;
    const length = this.view.getUint16(at, true);
    name.bytes = this.bytes;
    name.start = at + 2;
    name.length = length;
    return offset + 2 + length;
  }
}

const NOTHING = new Uint8Array(0);
const NO_VIEW = new DataView(NOTHING.buffer);
