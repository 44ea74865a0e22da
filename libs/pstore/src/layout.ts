import { PstoreError } from './pstore-error.ts';

/**
 * How a region is divided, in the words of the ramoops module's parameters (Documentation/admin-guide/ramoops.rst).
 * Sizes are bytes; like the kernel, we round those of zones down to powers of two.
 */
export interface RamoopsLayout {
  /** `mem_size`; default: all bytes there are. */
  readonly memSize?: number;
  /** `mem_address`: where the region lies in the memory of the machine. */
  readonly memAddress?: number;
  /** Of each dump of the kernel's log; 0 for none. As many as fit are made of what the others leave. */
  readonly recordSize: number;
  readonly consoleSize: number;
  /** Of all ftrace zones together. */
  readonly ftraceSize: number;
  readonly pmsgSize: number;
  /** Parity bytes for each 128 bytes of data, up to 127; 0 for none, and 1 means 16. */
  readonly ecc: number;
  /** As many as the kernel has possible CPUs; default: as many as the region shows. */
  readonly ftraceZones?: number;
  /** Of the machine; default `little`. */
  readonly byteOrder?: ByteOrder;
  /**
   * What the size of each dump and ftrace zone is a multiple of, where they do not come out even: 2, or 1 for kernels before 6.2 and
   * its backports. Default: what the region shows.
   */
  readonly alignment?: 1 | 2;
}

export type ByteOrder = 'little' | 'big';

/** What the kernel takes for a parameter that is not given (fs/pstore/ram.c, MIN_MEM_SIZE). */
export const DEFAULT_ZONE_SIZE = 4096;

/** ChromeOS's Android VM: 1 MiB, as crosvm gives it to `ramoops`. */
export const ARCVM_LAYOUT: RamoopsLayout = {
  memSize: 0x100000,
  recordSize: 0x40000,
  consoleSize: 0x40000,
  ftraceSize: 0x1000,
  pmsgSize: 0x1000,
  ecc: 0,
};

export type ZoneKind = 'dmesg' | 'console' | 'ftrace' | 'pmsg';

/** Where a zone lies. */
export interface ZonePlace {
  readonly kind: ZoneKind;
  /** Among those of its kind. */
  readonly index: number;
  /** Bytes from the beginning of the region. */
  readonly offset: number;
  /** With header and parity. */
  readonly size: number;
}

/** struct persistent_ram_buffer (fs/pstore/ram_core.c): signature, start, size; 32 bits each. */
export const HEADER_SIZE = 12;
/** The kernel itself reads no more records than these (fs/pstore/platform.c, stop_loop). */
const MAX_ZONES = 65536;
/** The length of a Reed-Solomon codeword over bytes, less a block of data. */
const MAX_PARITY = 127;

/**
 * The zones of a region, in their order: dumps, console, ftrace, pmsg.
 *
 * @param regionSize bytes, where the layout does not say
 * @throws {PstoreError} ERR_LAYOUT where the kernel's ramoops would not load either
 */
export function placeZones(layout: RamoopsLayout, regionSize: number): ZonePlace[] {
  const memSize = layout.memSize ?? regionSize;
  const recordSize = zoneSize('recordSize', layout.recordSize);
  const consoleSize = zoneSize('consoleSize', layout.consoleSize);
  const ftraceSize = zoneSize('ftraceSize', layout.ftraceSize);
  const pmsgSize = zoneSize('pmsgSize', layout.pmsgSize);
  const dumpsSize = memSize - consoleSize - ftraceSize - pmsgSize;
  if (dumpsSize < 0) {
    throw new PstoreError(
      'ERR_LAYOUT',
      `${consoleSize + ftraceSize + pmsgSize} bytes of console, ftrace and pmsg do not fit into a region of ${memSize}`,
    );
  }
  const zones: ZonePlace[] = [];
  let offset = 0;
  const place = (kind: ZoneKind, count: number, size: number) => {
    checkSize(kind, size, layout.ecc);
    for (let index = 0; index < count; index++, offset += size) zones.push({ kind, index, offset, size });
  };
  if (recordSize > 0 && dumpsSize > 0) {
    const count = Math.floor(dumpsSize / recordSize);
    if (count < 1 || count > MAX_ZONES) {
      throw new PstoreError(
        'ERR_LAYOUT',
        `${dumpsSize} bytes are left for dumps of ${recordSize} each: that is ${count} of them, and there may be 1 to ${MAX_ZONES}`,
      );
    }
    // What is left over makes each of them larger.
    place('dmesg', count, share(dumpsSize, count, layout));
  }
  if (consoleSize > 0) place('console', 1, consoleSize);
  if (ftraceSize > 0) {
    const count = layout.ftraceZones ?? 1;
    if (!Number.isSafeInteger(count) || count < 1 || count > ftraceSize) {
      throw new PstoreError('ERR_LAYOUT', `${ftraceSize} bytes cannot be ${count} ftrace zones`);
    }
    place('ftrace', count, share(ftraceSize, count, layout));
  }
  if (pmsgSize > 0) place('pmsg', 1, pmsgSize);
  if (zones.length === 0) {
    throw new PstoreError('ERR_LAYOUT', 'there are no zones: give at least one of them a size');
  }
  return zones;
}

/** What one of several zones gets. */
export function share(size: number, count: number, { alignment = 2 }: RamoopsLayout): number {
  const each = Math.floor(size / count);
  return each - (each % alignment);
}

/** How many parity bytes each block has. */
export function parityBytes(ecc: number): number {
  return ecc === 1 ? 16 : ecc;
}

/** How the space of a zone behind its header is shared (persistent_ram_init_ecc). */
export interface ZoneSpace {
  /** Bytes of data that fit. */
  readonly capacity: number;
  /** Where the parity of the first block begins, from the zone's beginning. */
  readonly blockParity: number;
  /** Where that of the header does. */
  readonly headerParity: number;
}

/** Data bytes that have a parity of their own. */
export const BLOCK_SIZE = 128;

/** How a zone of that size is divided; undefined when parity leaves no room for data. */
export function zoneSpace(size: number, ecc: number): ZoneSpace | undefined {
  const parity = parityBytes(ecc);
  const room = size - HEADER_SIZE;
  if (parity === 0) return { capacity: room, blockParity: size, headerParity: size };
  if (room <= parity) return undefined;
  const blocks = Math.ceil((room - parity) / (BLOCK_SIZE + parity));
  const capacity = room - (blocks + 1) * parity;
  if (capacity <= 0) return undefined;
  const blockParity = HEADER_SIZE + capacity;
  return { capacity, blockParity, headerParity: blockParity + blocks * parity };
}

function zoneSize(name: string, size: number): number {
  if (!Number.isSafeInteger(size) || size < 0 || size > 0x7fffffff) {
    throw new PstoreError('ERR_LAYOUT', `${name} is ${size}: it must be a whole number of bytes below 2 GiB`);
  }
  return size === 0 ? 0 : 2 ** (31 - Math.clz32(size));
}

function checkSize(kind: ZoneKind, size: number, ecc: number): void {
  if (!Number.isSafeInteger(ecc) || ecc < 0 || ecc > MAX_PARITY) {
    throw new PstoreError('ERR_LAYOUT', `ecc is ${ecc}: it must be a whole number from 0 to ${MAX_PARITY}`);
  }
  if (size > HEADER_SIZE && zoneSpace(size, ecc)) return;
  throw new PstoreError(
    'ERR_LAYOUT',
    `a ${kind} zone of ${size} bytes has no room for data behind its header${ecc > 0 ? ' and parity' : ''}`,
  );
}
