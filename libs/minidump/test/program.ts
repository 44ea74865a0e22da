import { elf, MAGIC, noteHeader, ProgramType } from '../src/elf/elf.ts';
import { concat, viewOf } from '../src/record.ts';
import type { SyntheticCore } from '../src/synth/index.ts';

// A made-up process of x86_64: a program, a library, the dynamic linker's list in the heap, two stacks.

const { fileHeader, programHeader, pair, rDebug, linkMap } = elf[64];
const PAGE = 4096;
const text = (value: string) => new TextEncoder().encode(`${value}\0`);

export const at = {
  program: 0x400000n,
  data: 0x402000n,
  heap: 0x500000n,
  library: 0x7f0000000000n,
  stackOfSecond: 0x7f0000200000n,
  debug: 0x7f0000300000n,
  stack: 0x7ffc00000000n,
} as const;

/** The first page of a program or a library: headers, a build-id, a dynamic section. */
export function imagePage(
  buildId: Uint8Array,
  { base = 0n, dynamic = 0x2000n, machine = 62 } = {},
): Uint8Array {
  const page = new Uint8Array(PAGE);
  const view = viewOf(page);
  const noteAt = 0x300;
  const note = noteHeader.encode({ nameSize: 4, size: buildId.length, type: 3 });
  page.set(concat([note, Uint8Array.of(0x47, 0x4e, 0x55, 0), buildId]), noteAt);
  const headers = [
    { type: ProgramType.load, offset: 0n, address: base, fileSize: 0x1000n, memorySize: 0x1000n },
    {
      type: ProgramType.load,
      offset: 0x2000n,
      address: base + 0x2000n,
      fileSize: 0x1000n,
      memorySize: 0x1000n,
    },
    { type: ProgramType.dynamic, offset: 0x2000n, address: base + dynamic, fileSize: 64n, memorySize: 64n },
    {
      type: ProgramType.note,
      offset: BigInt(noteAt),
      address: base + BigInt(noteAt),
      fileSize: BigInt(16 + buildId.length),
      memorySize: BigInt(16 + buildId.length),
      align: 4n,
    },
  ];
  fileHeader.write(view, 0, {
    magic: MAGIC,
    class: 2,
    data: 1,
    type: 3,
    machine,
    programHeadersAt: 64n,
    programHeaderSize: programHeader.size,
    programHeaderCount: headers.length,
  });
  for (const [index, header] of headers.entries())
    programHeader.write(view, 64 + index * programHeader.size, header);
  return page;
}

export const buildIds = {
  program: Uint8Array.from({ length: 20 }, (_, index) => index),
  library: Uint8Array.from({ length: 8 }, (_, index) => 0xa0 + index),
};

export function siginfo(signal: number, code: number, address = 0n): Uint8Array {
  const bytes = new Uint8Array(128);
  const view = viewOf(bytes);
  view.setInt32(0, signal, true);
  view.setInt32(8, code, true);
  view.setBigUint64(16, address, true);
  return bytes;
}

/** A page of words, each `word`. */
function words(word: bigint, size = PAGE): Uint8Array {
  return new Uint8Array(new BigUint64Array(size / 8).fill(word).buffer);
}

/** The process; parts of it can be replaced. */
export function process(changes: Partial<SyntheticCore> = {}): SyntheticCore {
  const heap = new Uint8Array(2 * PAGE);
  const heapView = viewOf(heap);
  const names = { 256: '', 512: '/lib/libone.so' };
  for (const [offset, name] of Object.entries(names)) heap.set(text(name), Number(offset) + 0x800);
  linkMap.write(heapView, 0x100, { name: at.heap + 0x900n, dynamic: at.data, next: at.heap + 0x200n });
  linkMap.write(heapView, 0x200, {
    address: at.library,
    name: at.heap + 0xa00n,
    dynamic: at.library + 0x2000n,
  });
  const data = new Uint8Array(PAGE);
  data.set(pair.encode({ key: 21n, value: at.debug + 0x40n }));
  const debug = new Uint8Array(PAGE);
  rDebug.write(viewOf(debug), 0x40, { version: 1, map: at.heap + 0x100n, brk: 0x1234n, ldbase: 0x5678n });
  return {
    threads: [
      {
        tid: 100,
        signal: 11,
        registers: { rip: at.program + 0x1010n, rsp: at.stack + 0x800n },
        float: { fpregset: new Uint8Array(512).fill(1) },
        siginfo: siginfo(11, 1, 0xdeadn),
      },
      { tid: 101, registers: { rip: at.library + 0x10n, rsp: at.stackOfSecond + 0x100n } },
    ],
    auxv: [
      [3n, at.program + 64n],
      [25n, at.stack + 0xe00n],
    ],
    files: [
      { start: at.program, end: at.program + 0x1000n, page: 0n, path: '/bin/program' },
      { start: at.program + 0x1000n, end: at.program + 0x2000n, page: 1n, path: '/bin/program' },
      { start: at.data, end: at.data + 0x1000n, page: 2n, path: '/bin/program' },
      { start: at.library, end: at.library + 0x1000n, page: 0n, path: '/lib/libone.so (deleted)' },
    ],
    segments: [
      { start: at.program, bytes: imagePage(buildIds.program), flags: 'r--' },
      { start: at.program + 0x1000n, bytes: words(0x9090909090909090n), flags: 'r-x' },
      { start: at.data, bytes: data },
      { start: at.heap, bytes: heap },
      { start: at.library, bytes: imagePage(buildIds.library), flags: 'r-x' },
      { start: at.stackOfSecond, bytes: words(at.heap) },
      { start: at.debug, bytes: debug },
      { start: at.stack, bytes: words(0x1122334455667788n) },
    ],
    ...changes,
  };
}
