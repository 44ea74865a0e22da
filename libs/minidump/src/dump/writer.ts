import type { Values } from '../record.ts';
import { concat, viewOf } from '../record.ts';
import type { MemoryRange } from './contents.ts';
import {
  directoryEntry,
  header,
  type location,
  SIGNATURE,
  type StreamName,
  StreamType,
  VERSION,
} from './records.ts';

type Location = Values<typeof location.fields>;

/** Readers refuse strings of more than 1024 UTF-16 units. */
export const MAX_STRING = 1024;
const MAX_DUMP = 0xffffffff;

/** Lays a minidump out: what is referred to first, then what refers to it. Bytes are not copied. */
export class DumpWriter {
  readonly #chunks: Uint8Array[] = [];
  readonly #streams: { type: number; location: Location }[] = [];
  /** Where bytes lie that are referred to more than once: a stack in the list of memory. */
  readonly #placed = new Map<Uint8Array, Location>();
  readonly #directorySize = Object.keys(StreamType).length * directoryEntry.size;
  #rva = header.size + this.#directorySize;

  /** Places bytes, or tells where the same bytes have been placed. @throws RangeError beyond 4 GiB */
  place(bytes: Uint8Array): Location {
    const before = this.#placed.get(bytes);
    if (before) return before;
    const at = { size: bytes.length, rva: this.#rva };
    const padding = -bytes.length & 7;
    if (this.#rva + bytes.length + padding > MAX_DUMP) {
      throw new RangeError('a minidump cannot be larger than 4 GiB: lower the budget for memory');
    }
    this.#chunks.push(bytes);
    if (padding > 0) this.#chunks.push(new Uint8Array(padding));
    this.#rva += bytes.length + padding;
    this.#placed.set(bytes, at);
    return at;
  }

  memory({ start, bytes }: MemoryRange): { start: bigint; memory: Location } {
    return { start, memory: this.place(bytes) };
  }

  /** A string in UTF-16; of a longer one the end, for the end of a path tells more than its beginning. @returns its RVA */
  text(text: string): number {
    const units = text.length > MAX_STRING ? text.slice(-MAX_STRING) : text;
    const bytes = new Uint8Array(4 + 2 * units.length + 2);
    const view = viewOf(bytes);
    view.setUint32(0, 2 * units.length, true);
    for (let index = 0; index < units.length; index++) {
      view.setUint16(4 + 2 * index, units.charCodeAt(index), true);
    }
    return this.place(bytes).rva;
  }

  /** A string in UTF-8, as Crashpad has them. @returns its RVA */
  utf8(text: string): number {
    const encoded = new TextEncoder().encode(text);
    const bytes = new Uint8Array(4 + encoded.length + 1);
    viewOf(bytes).setUint32(0, encoded.length, true);
    bytes.set(encoded, 4);
    return this.place(bytes).rva;
  }

  stream(name: StreamName, ...parts: Uint8Array[]): void {
    const [first, ...more] = parts;
    const bytes = more.length === 0 && first ? first : concat(parts);
    this.#streams.push({ type: StreamType[name], location: this.place(bytes) });
  }

  /** The whole dump. @param time seconds since 1970 */
  finish(time: number): Uint8Array[] {
    const start = new Uint8Array(header.size + this.#directorySize);
    const view = viewOf(start);
    header.write(view, 0, {
      signature: SIGNATURE,
      version: VERSION,
      streamCount: this.#streams.length,
      directoryRva: header.size,
      timeDateStamp: time,
    });
    for (const [index, stream] of this.#streams.entries()) {
      directoryEntry.write(view, header.size + index * directoryEntry.size, stream);
    }
    return [start, ...this.#chunks];
  }
}

/** A number of 32 bits. */
export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}
