import { record } from '../record.ts';

// Structures of elf.h, little-endian, of both classes. Addresses and sizes are bigints in both.

const word = { 32: 'w32', 64: 'u64' } as const;

const fileHeader = (bits: 32 | 64) =>
  record({
    magic: 'u32',
    class: 'u8',
    data: 'u8',
    identVersion: 'u8',
    osAbi: 'u8',
    padding: 8,
    type: 'u16',
    machine: 'u16',
    version: 'u32',
    entry: word[bits],
    programHeadersAt: word[bits],
    sectionHeadersAt: word[bits],
    flags: 'u32',
    headerSize: 'u16',
    programHeaderSize: 'u16',
    programHeaderCount: 'u16',
    sectionHeaderSize: 'u16',
    sectionHeaderCount: 'u16',
    sectionNames: 'u16',
  });

const programHeader32 = record({
  type: 'u32',
  offset: 'w32',
  address: 'w32',
  physical: 'w32',
  fileSize: 'w32',
  memorySize: 'w32',
  flags: 'u32',
  align: 'w32',
});

const programHeader64 = record({
  type: 'u32',
  flags: 'u32',
  offset: 'u64',
  address: 'u64',
  physical: 'u64',
  fileSize: 'u64',
  memorySize: 'u64',
  align: 'u64',
});

const sectionHeader = (bits: 32 | 64) =>
  record({
    name: 'u32',
    type: 'u32',
    flags: word[bits],
    address: word[bits],
    offset: word[bits],
    size: word[bits],
    link: 'u32',
    info: 'u32',
    align: word[bits],
    entrySize: word[bits],
  });

/** A pair of words: an entry of the auxiliary vector, or of the dynamic section. */
const pair = (bits: 32 | 64) => record({ key: word[bits], value: word[bits] });

const wordRecord = (bits: 32 | 64) => record({ value: word[bits] });

/** struct r_debug of link.h. */
const rDebug = (bits: 32 | 64) =>
  record({
    version: 'u32',
    ...(bits === 64 && { padding0: 'u32' }),
    map: word[bits],
    brk: word[bits],
    state: 'u32',
    ...(bits === 64 && { padding1: 'u32' }),
    ldbase: word[bits],
  });

/** struct link_map of link.h. */
const linkMap = (bits: 32 | 64) =>
  record({
    address: word[bits],
    name: word[bits],
    dynamic: word[bits],
    next: word[bits],
    previous: word[bits],
  });

const structures = (bits: 32 | 64) => ({
  bits,
  fileHeader: fileHeader(bits),
  programHeader: bits === 64 ? programHeader64 : (programHeader32 as unknown as typeof programHeader64),
  sectionHeader: sectionHeader(bits),
  pair: pair(bits),
  word: wordRecord(bits),
  rDebug: rDebug(bits),
  linkMap: linkMap(bits),
});

/** The structures of one class of ELF files. */
export type Elf = ReturnType<typeof structures>;

/** By class. */
export const elf: Readonly<Record<32 | 64, Elf>> = { 32: structures(32), 64: structures(64) };

/** The header of a note: name and contents follow, each padded to 4 bytes. */
export const noteHeader = record({ nameSize: 'u32', size: 'u32', type: 'u32' });

/** 0x7f 'ELF' */
export const MAGIC = 0x464c457f;
export const CLASS_32 = 1;
export const CLASS_64 = 2;
export const LITTLE_ENDIAN = 1;
/** `e_type` */
export const ET_CORE = 4;
/** `e_phnum` when there are more: the count is then in the first section header. */
export const PN_XNUM = 0xffff;
/** `p_type` */
export const ProgramType = { null: 0, load: 1, dynamic: 2, note: 4, phdr: 6 } as const;
/** `p_flags` */
export const ProgramFlag = { execute: 1, write: 2, read: 4 } as const;
/** Keys of the auxiliary vector. */
export const Aux = {
  null: 0n,
  programHeaders: 3n,
  programHeaderCount: 5n,
  pageSize: 6n,
  base: 7n,
  entry: 9n,
  hwcap: 16n,
  platform: 15n,
  random: 25n,
  execName: 31n,
  vdso: 33n,
} as const;
/** Keys of the dynamic section. */
export const Dynamic = { null: 0n, stringTable: 5n, soname: 14n, debug: 21n } as const;
/** Of GNU's notes: the build-id. */
export const NT_GNU_BUILD_ID = 3;

/** The padding of names and contents of notes in cores, and in almost every module. */
export function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}
