import type { ByteOrder } from './layout.ts';
import type { SymbolTable } from './symbols.ts';
import type { Correction, Zone } from './zone.ts';

/** How the kernel that wrote them laid entries out: struct pstore_ftrace_record (include/linux/pstore.h). */
export interface FtraceFormat {
  /** Bytes of an address; default 8. */
  readonly wordSize?: 4 | 8;
  /** Default `little`. */
  readonly byteOrder?: ByteOrder;
  /**
   * Where the number of the CPU is: the lowest byte of the time stamp, or the lowest bits of the address, as on 32-bit ARM with
   * up to 2 CPUs (`address-1`, Thumb) or 4 (`address-3`). Default `stamp`.
   */
  readonly cpuIn?: 'stamp' | 'address-1' | 'address-3';
}

/** A function that was called. */
export interface FtraceEntry {
  readonly cpu: number;
  /** Calls since the boot, over all CPUs. It is a count and no time. */
  readonly stamp: bigint;
  /** Where the function is, and where it was called. */
  readonly address: bigint;
  readonly caller: bigint;
}

/** The functions that were called, of all CPUs, in their order. */
export class FtraceLog implements Iterable<FtraceEntry> {
  readonly zones: readonly Zone[];
  readonly length: number;
  /** Over all zones; undefined without error correction. */
  readonly correction: Correction | undefined;
  readonly #format: Required<FtraceFormat>;
  readonly #bytes: DataView;

  constructor(zones: readonly Zone[], format: FtraceFormat) {
    this.zones = zones.filter(({ state }) => state === 'used');
    this.#format = { wordSize: 8, byteOrder: 'little', cpuIn: 'stamp', ...format };
    const corrections = this.zones.flatMap(({ correction }) => correction ?? []);
    this.correction =
      corrections.length === 0
        ? undefined
        : {
            correctedBytes: corrections.reduce((sum, { correctedBytes }) => sum + correctedBytes, 0),
            badBlocks: corrections.reduce((sum, { badBlocks }) => sum + badBlocks, 0),
          };
    const merged = this.#merge();
    this.#bytes = viewOf(merged);
    this.length = merged.length / this.#entrySize;
  }

  /** @throws {RangeError} when there is no such entry */
  at(index: number): FtraceEntry {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw new RangeError(`there is no entry ${index} among ${this.length}`);
    }
    const { wordSize, cpuIn } = this.#format;
    const offset = index * this.#entrySize;
    const word = this.#word(this.#bytes, offset);
    const caller = this.#word(this.#bytes, offset + wordSize);
    const stamp = this.#bytes.getBigUint64(offset + 2 * wordSize, this.#isLittle);
    // Like the kernel, the address is shown with the CPU in it.
    if (cpuIn === 'stamp') return { cpu: Number(stamp & 0xffn), stamp: stamp >> 8n, address: word, caller };
    return { cpu: Number(word & (cpuIn === 'address-1' ? 1n : 3n)), stamp, address: word, caller };
  }

  *[Symbol.iterator](): Generator<FtraceEntry> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }

  /** An entry as the kernel shows it in /sys/fs/pstore/ftrace-ramoops-0. */
  format(entry: FtraceEntry, symbols?: SymbolTable): string {
    const hex = (value: bigint) => value.toString(16).padStart(8, '0');
    const name = symbols?.resolve(entry.address)?.name ?? `0x${entry.address.toString(16)}`;
    const caller = symbols?.describe(entry.caller) ?? `0x${entry.caller.toString(16)}`;
    return `CPU:${entry.cpu} ts:${entry.stamp} ${hex(entry.address)}  ${hex(entry.caller)}  ${name} <- ${caller}\n`;
  }

  get #entrySize(): number {
    return 2 * this.#format.wordSize + 8;
  }

  get #isLittle(): boolean {
    return this.#format.byteOrder === 'little';
  }

  #word(view: DataView, offset: number): bigint {
    return this.#format.wordSize === 8
      ? view.getBigUint64(offset, this.#isLittle)
      : BigInt(view.getUint32(offset, this.#isLittle));
  }

  /** The zones of the CPUs in one, by their stamps, as far as each is in order itself (pstore_ftrace_combine_log()). */
  #merge(): Uint8Array {
    // A ring that is full may begin within an entry.
    let logs = this.zones.map(({ data }) => data.subarray(data.length % this.#entrySize));
    while (logs.length > 1) {
      const pairs: Uint8Array[] = [];
      for (let index = 0; index < logs.length; index += 2) {
        const [one, other] = logs.slice(index, index + 2);
        if (one) pairs.push(other ? this.#mergeTwo(one, other) : one);
      }
      logs = pairs;
    }
    return logs[0] ?? new Uint8Array(0);
  }

  #mergeTwo(one: Uint8Array, other: Uint8Array): Uint8Array {
    const size = this.#entrySize;
    const merged = new Uint8Array(one.length + other.length);
    const [oneView, otherView] = [viewOf(one), viewOf(other)];
    const stampOf = (view: DataView, offset: number) => {
      const stamp = view.getBigUint64(offset + size - 8, this.#isLittle);
      return this.#format.cpuIn === 'stamp' ? stamp >> 8n : stamp;
    };
    let [first, second] = [0, 0];
    for (let at = 0; at < merged.length; at += size) {
      const isFirst =
        second >= other.length ||
        (first < one.length && stampOf(oneView, first) < stampOf(otherView, second));
      merged.set(isFirst ? one.subarray(first, first + size) : other.subarray(second, second + size), at);
      if (isFirst) first += size;
      else second += size;
    }
    return merged;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
