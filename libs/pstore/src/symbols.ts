import { PstoreError } from './pstore-error.ts';

/** A function or variable that an address lies in. */
export interface KernelSymbol {
  readonly name: string;
  /** Bytes from its beginning. */
  readonly offset: bigint;
  /** To the next symbol; 0 when there is none. */
  readonly size: bigint;
  /** That of a module. */
  readonly module: string | undefined;
}

interface Row {
  readonly address: bigint;
  readonly type: string;
  readonly name: string;
  readonly module: string | undefined;
}

export interface SymbolOptions {
  /** What KASLR added to the addresses of a System.map; default 0. See `kernelOffset`. */
  readonly offset?: bigint;
}

/** The names of a kernel's addresses. */
export class SymbolTable {
  readonly #rows: readonly Row[];
  readonly #offset: bigint;
  /** The kernel itself, from _stext to _end: nowhere else the kernel looks for its own names (is_ksym_addr() in kernel/kallsyms.c). */
  readonly #image: readonly [start: bigint, end: bigint] | undefined;

  private constructor(rows: readonly Row[], offset: bigint) {
    this.#rows = rows;
    this.#offset = offset;
    const addressOf = (wanted: string) => rows.find(({ name }) => name === wanted)?.address;
    const [start, end] = [addressOf('_stext'), addressOf('_end')];
    this.#image = start === undefined || end === undefined ? undefined : [start, end];
  }

  /**
   * Reads a System.map of the same kernel, or what /proc/kallsyms showed in the same boot to root.
   *
   * @throws {PstoreError} ERR_SYMBOLS when a line is none of theirs, or all addresses are 0, as kallsyms shows them to others
   */
  static parse(text: string, { offset = 0n }: SymbolOptions = {}): SymbolTable {
    const rows: Row[] = [];
    for (const { 0: line, index } of text.matchAll(/[^\n]+/g)) {
      const [, address = '', type = '', name = '', module] =
        /^([0-9a-f]{8,16}) (\S) (\S+)(?:\s+\[(\S+)\])?\s*$/i.exec(line) ?? [];
      if (name === '') {
        throw new PstoreError(
          'ERR_SYMBOLS',
          `${JSON.stringify(line.slice(0, 80))} is no line of a System.map`,
          {
            offset: index,
          },
        );
      }
      rows.push({ address: BigInt(`0x${address}`), type, name, module });
    }
    if (rows.every(({ address }) => address === 0n)) {
      throw new PstoreError(
        'ERR_SYMBOLS',
        'there is no address but 0: copy /proc/kallsyms as root, or give a System.map',
      );
    }
    const order = new Map(rows.map((row, index) => [row, index]));
    rows.sort(
      (a, b) =>
        compare(a.address, b.address) ||
        rankOf(a) - rankOf(b) ||
        (order.get(a) as number) - (order.get(b) as number),
    );
    return new SymbolTable(rows, offset);
  }

  /** What an address lies in; undefined outside of the kernel and its modules. */
  resolve(address: bigint): KernelSymbol | undefined {
    const wanted = address - this.#offset;
    let [low, high] = [0, this.#rows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#rows[middle] as Row).address <= wanted) low = middle + 1;
      else high = middle;
    }
    let row = this.#rows[low - 1];
    if (!row || (row.module === undefined && !this.#isInImage(wanted))) return undefined;
    const size = (this.#rows[low]?.address ?? row.address) - row.address;
    // Of several names the first one, as it was sorted.
    for (let index = low - 2; this.#rows[index]?.address === row.address; index--)
      row = this.#rows[index] as Row;
    return { name: row.name, offset: wanted - row.address, size, module: row.module };
  }

  #isInImage(address: bigint): boolean {
    return !this.#image || (address >= this.#image[0] && address < this.#image[1]);
  }

  /** As the kernel writes it: `panic+0x12/0x340 [module]`. */
  describe(address: bigint): string | undefined {
    const symbol = this.resolve(address);
    if (!symbol) return undefined;
    const module = symbol.module === undefined ? '' : ` [${symbol.module}]`;
    return `${symbol.name}+0x${symbol.offset.toString(16)}/0x${symbol.size.toString(16)}${module}`;
  }
}

/** What KASLR added to the kernel's addresses, as a panic says in its last lines: `Kernel Offset: 0x1e00000 from ...`. */
export function kernelOffset(log: Uint8Array): bigint | undefined {
  const text = new TextDecoder('latin1').decode(log);
  const found = text.lastIndexOf('Kernel Offset: ');
  if (found < 0) return undefined;
  const [, offset] = /^Kernel Offset: (0x[0-9a-f]+|disabled)/.exec(text.slice(found)) ?? [];
  return offset === undefined ? undefined : offset === 'disabled' ? 0n : BigInt(offset);
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Which of several names of one address the kernel prefers (scripts/kallsyms.c): no weak one, few underscores in front. */
function rankOf({ type, name }: Row): number {
  const isWeak = type.toLowerCase() === 'w' || type.toLowerCase() === 'v';
  const isFromLinker = /^__(?:start|stop)_|^__.*(?:start|end)$/.test(name);
  return (isWeak ? 1000 : 0) + (isFromLinker ? 500 : 0) + ((/^_*/.exec(name)?.[0].length ?? 0) % 500);
}
