import type { Cpu } from '../cpu/cpu.ts';
import { cpuOfElf } from '../cpu/cpus.ts';
import {
  CLASS_32,
  CLASS_64,
  type Elf,
  ET_CORE,
  elf,
  LITTLE_ENDIAN,
  MAGIC,
  PN_XNUM,
  ProgramFlag,
  ProgramType,
} from '../elf/elf.ts';
import { CoreError, type SoftErrors } from '../errors.ts';
import { concat, viewOf } from '../record.ts';
import type { Reading } from './reading.ts';
import { type Segment, Segments } from './segment.ts';

/** Where a core has what. */
export interface CoreHeaders {
  readonly cpu: Cpu;
  readonly elf: Elf;
  readonly segments: Segments;
  /** The parts of the file that hold notes, in its order. */
  readonly notes: readonly { readonly offset: number; readonly size: number }[];
  /** Byte behind the last one that the headers speak of: a shorter file has been cut off. */
  readonly end: number;
}

/** Linux allows 65,530 mappings unless told otherwise. */
export const MAX_SEGMENTS = 1 << 17;

type ProgramHeader = ReturnType<Elf['programHeader']['read']>;
type FileHeader = ReturnType<Elf['fileHeader']['read']>;

/**
 * Reads the ELF header and the program headers.
 * @param seekable whether what has passed can be asked for again; then a count beyond 65,534 is looked up where it is,
 *   near the end of the file, and else told from where the notes begin
 * @throws CoreError
 */
export function* readHeaders(seekable: boolean, errors: SoftErrors): Reading<CoreHeaders> {
  const { cpu, layout, header } = yield* readFileHeader();
  const size = layout.programHeader.size;
  const at = safe(header.programHeadersAt);
  if (header.programHeaderSize !== size || at === undefined || at < header.headerSize) {
    throw new CoreError(
      'ERR_CORE_HEADERS',
      `the core's program headers cannot be right: ${header.programHeaderSize} bytes each at ${header.programHeadersAt}, expected ${size} behind the ELF header`,
    );
  }
  const extended = header.programHeaderCount === PN_XNUM;
  let count = extended ? undefined : header.programHeaderCount;
  if (extended && seekable) count = yield* countInSection(layout, header);
  const first = yield { offset: at, size };
  if (count === undefined) count = countBeforeNotes(layout, first, at);
  if (count > MAX_SEGMENTS) {
    errors.add(
      'CORE_SEGMENTS',
      `the core claims ${count} program headers; the first ${MAX_SEGMENTS} are read`,
    );
    count = MAX_SEGMENTS;
  }
  const rest = count > 1 ? yield { offset: at + size, size: (count - 1) * size } : new Uint8Array(0);
  const headers: ProgramHeader[] = [];
  if (first.length === size && count > 0) headers.push(layout.programHeader.read(viewOf(first)));
  const view = viewOf(rest);
  for (let offset = 0; offset + size <= rest.length; offset += size) {
    headers.push(layout.programHeader.read(view, offset));
  }
  if (headers.length < count) {
    errors.add(
      'CORE_TRUNCATED',
      `the core ends within its program headers: ${headers.length} of ${count} are there`,
    );
  }
  return { cpu, elf: layout, ...contentsOf(headers, layout.bits, errors) };
}

function* readFileHeader(): Reading<{ cpu: Cpu; layout: Elf; header: FileHeader }> {
  // No more than is surely the header's: program headers may follow it at once, and are asked for later.
  const start = yield { offset: 0, size: elf[32].fileHeader.size };
  const view = viewOf(start);
  if (start.length < 16 || view.getUint32(0, true) !== MAGIC) {
    throw new CoreError(
      'ERR_CORE_NOT_ELF',
      start.length === 0 ? 'the core is empty' : 'this is no ELF file, so no core',
    );
  }
  const ident = elf[32].fileHeader.offsets;
  const fileClass = view.getUint8(ident.class);
  if (view.getUint8(ident.data) !== LITTLE_ENDIAN || (fileClass !== CLASS_32 && fileClass !== CLASS_64)) {
    throw new CoreError(
      'ERR_CORE_MACHINE',
      `a core of ELF class ${fileClass}, byte order ${view.getUint8(ident.data)}: only 32 and 64 bits (1, 2) in little-endian (1) are known`,
    );
  }
  const layout = elf[fileClass === CLASS_64 ? 64 : 32];
  const rest = yield { offset: start.length, size: layout.fileHeader.size - start.length };
  const bytes = concat([start, rest]);
  if (bytes.length < layout.fileHeader.size) {
    throw new CoreError(
      'ERR_CORE_HEADERS',
      `the core ends within its ELF header, after ${bytes.length} bytes`,
    );
  }
  const header = layout.fileHeader.read(viewOf(bytes));
  if (header.type !== ET_CORE) {
    throw new CoreError('ERR_CORE_NOT_CORE', `an ELF file of type ${header.type}, not a core (${ET_CORE})`);
  }
  const cpu = cpuOfElf(header.machine, layout.bits);
  if (!cpu) {
    throw new CoreError(
      'ERR_CORE_MACHINE',
      `a core of machine ${header.machine} with ${layout.bits} bits; known are x86_64, i386, aarch64, arm and riscv64`,
    );
  }
  return { cpu, layout, header };
}

function* countInSection({ sectionHeader }: Elf, header: FileHeader): Reading<number | undefined> {
  const offset = safe(header.sectionHeadersAt);
  if (!offset) return undefined;
  const bytes = yield { offset, size: sectionHeader.size };
  return bytes.length === sectionHeader.size ? sectionHeader.read(viewOf(bytes)).info : undefined;
}

/** Linux writes the notes right behind the program headers, of which theirs is the first. */
function countBeforeNotes({ programHeader }: Elf, first: Uint8Array, at: number): number {
  const { type, offset } = first.length === programHeader.size ? programHeader.read(viewOf(first)) : {};
  if (type !== ProgramType.note || !offset || offset <= BigInt(at)) return PN_XNUM - 1;
  return Number((offset - BigInt(at)) / BigInt(programHeader.size));
}

function contentsOf(
  headers: readonly ProgramHeader[],
  bits: number,
  errors: SoftErrors,
): Pick<CoreHeaders, 'segments' | 'notes' | 'end'> {
  const loads: Segment[] = [];
  const notes: { offset: number; size: number }[] = [];
  let end = 0;
  for (const header of headers) {
    const offset = safe(header.offset);
    const size = safe(header.fileSize);
    if (offset === undefined || size === undefined || !Number.isSafeInteger(offset + size)) {
      errors.add(
        'CORE_SEGMENT',
        `a program header speaks of byte ${header.offset} and ${header.fileSize} more`,
      );
      continue;
    }
    if (header.type === ProgramType.note && size > 0) notes.push({ offset, size });
    if (header.type === ProgramType.load && header.memorySize > 0n) {
      const segment = segmentOf(header, bits, offset, size, errors);
      if (!segment) continue;
      loads.push(segment);
    }
    end = Math.max(end, offset + size);
  }
  notes.sort((a, b) => a.offset - b.offset);
  return { segments: new Segments(disjoint(loads, errors)), notes, end };
}

function segmentOf(
  { address, memorySize, flags }: ProgramHeader,
  bits: number,
  offset: number,
  size: number,
  errors: SoftErrors,
): Segment | undefined {
  const end = address + memorySize;
  if (end > 1n << BigInt(bits)) {
    errors.add('CORE_SEGMENT', `the memory at 0x${address.toString(16)} goes beyond the last address`);
    return undefined;
  }
  if (size > memorySize) {
    errors.add(
      'CORE_SEGMENT',
      `the memory at 0x${address.toString(16)} has more bytes in the core than it has`,
    );
  }
  return {
    start: address,
    end,
    offset,
    fileSize: size > memorySize ? Number(memorySize) : size,
    read: (flags & ProgramFlag.read) !== 0,
    write: (flags & ProgramFlag.write) !== 0,
    execute: (flags & ProgramFlag.execute) !== 0,
  };
}

function disjoint(segments: Segment[], errors: SoftErrors): Segment[] {
  const kept: Segment[] = [];
  for (const segment of segments.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    let last = kept.at(-1);
    // Of two that overlap the smaller one is more likely to be true: gdb makes nonsense of sections without a place.
    while (last && segment.start < last.end && last.end - last.start > segment.end - segment.start) {
      overlaps(last, errors);
      kept.pop();
      last = kept.at(-1);
    }
    if (last && segment.start < last.end) overlaps(segment, errors);
    else kept.push(segment);
  }
  return kept;
}

function overlaps({ start }: Segment, errors: SoftErrors): void {
  errors.add('CORE_SEGMENT', `the memory at 0x${start.toString(16)} overlaps other memory`);
}

/** A file offset or size as a number; undefined when no file is so large. */
function safe(value: bigint): number | undefined {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}
