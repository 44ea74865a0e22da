import type { Cpu } from '../cpu/cpu.ts';
import {
  align4,
  Dynamic,
  type Elf,
  elf,
  MAGIC,
  NT_GNU_BUILD_ID,
  noteHeader,
  ProgramType,
} from '../elf/elf.ts';
import { concat, viewOf } from '../record.ts';
import type { Reading } from './reading.ts';

/** What the headers of a mapped program or library tell. */
export interface Image {
  /** What to add to the file's addresses. */
  readonly bias: bigint;
  /** Where it begins to run, as an address of the process. */
  readonly entry: bigint;
  /** Bytes from the first to the last address. */
  readonly span: number;
  /** Bytes of the file that its first segment maps. */
  readonly firstSegment: number;
  readonly buildId: Uint8Array | undefined;
  /** The dynamic section, as an address of the process. */
  readonly dynamic: { readonly address: bigint; readonly size: number } | undefined;
}

/** Reads bytes of an image. */
export interface ImageBytes {
  /** From the start of the file, as it is mapped there. */
  header(offset: number, size: number): Reading<Uint8Array>;
  /** What a program header speaks of. */
  contents(header: ProgramHeader, bias: bigint): Reading<Uint8Array>;
}

type ProgramHeader = ReturnType<Elf['programHeader']['read']>;

/** Most images have their headers and the build-id in here. */
const FIRST = 1024;
/** What else of an image's start may be looked at. */
const MAX_HEAD = 1 << 16;
const PAGE = 4096n;
const MAX_PROGRAM_HEADERS = 256;
const MAX_NOTES = 1 << 16;
const MAX_DYNAMIC = 1 << 16;
/** No image is larger: `size` of a module has 32 bits. */
const MAX_SPAN = 0xffffffffn;

/** Reads the headers of an image that begins at `base`; undefined: there is none for this processor. */
export function* readImage(cpu: Cpu, base: bigint, bytes: ImageBytes): Reading<Image | undefined> {
  const { fileHeader, programHeader } = elf[cpu.bits];
  const head = yield* bytes.header(0, FIRST);
  if (head.length < fileHeader.size) return undefined;
  const { magic, machine, programHeadersAt, programHeaderCount, programHeaderSize, entry, ...file } =
    fileHeader.read(viewOf(head));
  if (magic !== MAGIC || machine !== cpu.machine || file.class !== cpu.bits / 32) return undefined;
  if (programHeaderSize !== programHeader.size || programHeaderCount > MAX_PROGRAM_HEADERS) return undefined;
  const size = programHeaderCount * programHeader.size;
  const at = Number(programHeadersAt);
  const grown = yield* grow(head, at + size, bytes);
  const table = grown.subarray(at, at + size);
  const headers: ProgramHeader[] = [];
  for (let offset = 0; offset + programHeader.size <= table.length; offset += programHeader.size) {
    headers.push(programHeader.read(viewOf(table), offset));
  }
  const loads = headers.filter(({ type }) => type === ProgramType.load);
  const first = loads[0];
  if (!first) return undefined;
  const start = first.address - first.offset;
  const last = loads.reduce((end, { address, memorySize }) => max(end, address + memorySize), start);
  const end = last + (-last & (PAGE - 1n));
  const bias = BigInt.asUintN(64, base - start);
  const dynamic = headers.find(({ type }) => type === ProgramType.dynamic);
  return {
    bias,
    entry: BigInt.asUintN(64, bias + entry),
    span: Number(end - start > MAX_SPAN ? MAX_SPAN : end - start),
    firstSegment: Number(first.offset + first.fileSize),
    buildId: yield* readBuildId(headers, grown, bytes, bias),
    dynamic: dynamic && {
      address: BigInt.asUintN(64, bias + dynamic.address),
      size: Math.min(Number(dynamic.memorySize), MAX_DYNAMIC),
    },
  };
}

/** The start of an image up to `end`, if that is near. What is there is not asked for again: it may have flowed past. */
function* grow(head: Uint8Array, end: number, bytes: ImageBytes): Reading<Uint8Array> {
  if (end <= head.length || end > MAX_HEAD) return head;
  return concat([head, yield* bytes.header(head.length, end - head.length)]);
}

function* readBuildId(
  headers: readonly ProgramHeader[],
  head: Uint8Array,
  bytes: ImageBytes,
  bias: bigint,
): Reading<Uint8Array | undefined> {
  for (const header of headers) {
    if (header.type !== ProgramType.note || header.fileSize > MAX_NOTES) continue;
    const [at, end] = [Number(header.offset), Number(header.offset + header.fileSize)];
    if (end <= MAX_HEAD) head = yield* grow(head, end, bytes);
    const notes = end <= head.length ? head.subarray(at, end) : yield* bytes.contents(header, bias);
    const buildId = buildIdOf(notes, header.align === 8n ? 8 : 4);
    if (buildId) return buildId;
  }
  return undefined;
}

/** The build-id among the notes of an image. */
function buildIdOf(notes: Uint8Array, alignment: number): Uint8Array | undefined {
  const view = viewOf(notes);
  const align = (size: number) => (alignment === 4 ? align4(size) : Math.ceil(size / 8) * 8);
  for (let at = 0; at + noteHeader.size <= notes.length; ) {
    const { nameSize, size, type } = noteHeader.read(view, at);
    const contents = at + align(noteHeader.size + nameSize);
    const name = at + noteHeader.size;
    if (contents + size > notes.length) return undefined;
    const isGnu = nameSize === 4 && view.getUint32(name, true) === GNU;
    if (isGnu && type === NT_GNU_BUILD_ID && size > 0) return notes.slice(contents, contents + size);
    at = contents + align(size);
  }
  return undefined;
}

/** 'GNU\0' */
const GNU = 0x554e47;

/** The name that a library gives itself, by its dynamic section; for images that no file name is known of. */
export function* readSoname(
  cpu: Cpu,
  image: Image,
  read: (address: bigint, size: number) => Reading<Uint8Array>,
): Reading<string | undefined> {
  if (!image.dynamic) return undefined;
  const entries = dynamicEntries(cpu, yield* read(image.dynamic.address, image.dynamic.size));
  const soname = entries.get(Dynamic.soname);
  let table = entries.get(Dynamic.stringTable);
  if (soname === undefined || table === undefined || soname > 1n << 32n) return undefined;
  // The linker has made an address of it, except in the vDSO.
  if (table < image.bias) table += image.bias;
  const bytes = yield* read(table + soname, 256);
  const end = bytes.indexOf(0);
  return end > 0 ? new TextDecoder().decode(bytes.subarray(0, end)) : undefined;
}

/** The first entry of each kind of a dynamic section. */
export function dynamicEntries(cpu: Cpu, bytes: Uint8Array): Map<bigint, bigint> {
  const { pair } = elf[cpu.bits];
  const entries = new Map<bigint, bigint>();
  for (let at = 0; at + pair.size <= bytes.length; at += pair.size) {
    const { key, value } = pair.read(viewOf(bytes), at);
    if (key === Dynamic.null) break;
    if (!entries.has(key)) entries.set(key, value);
  }
  return entries;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
