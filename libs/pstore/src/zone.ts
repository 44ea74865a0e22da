import {
  BLOCK_SIZE,
  type ByteOrder,
  HEADER_SIZE,
  type ZonePlace,
  type ZoneSpace,
  zoneSpace,
} from './layout.ts';
import type { Problem, ProblemCode } from './pstore-error.ts';
import type { ReedSolomon } from './reed-solomon.ts';

/** "DBGC", little-endian: PERSISTENT_RAM_SIG in fs/pstore/ram_core.c. Ftrace zones have it mixed with LINUX_VERSION_CODE. */
export const SIGNATURE = 0x43474244;

/** What error correction did in a zone. */
export interface Correction {
  readonly correctedBytes: number;
  readonly badBlocks: number;
}

/** A zone as it was found. */
export interface Zone extends ZonePlace {
  /**
   * `used`: there is data. `empty`: a kernel has made it ready, and nothing was written, or it was read and cleared.
   * `absent`: no kernel has, or its header is lost. `invalid`: its header cannot be right.
   */
  readonly state: 'used' | 'empty' | 'absent' | 'invalid';
  /** Bytes of data that fit into it. */
  readonly capacity: number;
  /** What is written, the oldest byte first, corrected as far as its parity allows; a view of the region where that will do. */
  readonly data: Uint8Array;
  /** Whether it is full, so that older data may have been overwritten. */
  readonly isFull: boolean;
  /** Undefined without error correction. */
  readonly correction: Correction | undefined;
  /** Of the kernel that wrote an ftrace zone: `6.1.192`. A sublevel of 255 may be a higher one. */
  readonly kernelVersion: string | undefined;
  /** What is wrong with it. */
  readonly problems: readonly Problem[];
}

export interface ZoneReader {
  readonly ecc: number;
  readonly byteOrder: ByteOrder;
  /** The code of `ecc`; undefined when that is 0. */
  readonly code: ReedSolomon | undefined;
}

interface Header {
  readonly signature: number;
  readonly start: number;
  readonly size: number;
}

const NOTHING = new Uint8Array(0);

/** Reads what lies at a place, as the kernel that boots next would. Never throws: what is wrong is told with the zone. */
export function readZone(region: Uint8Array, place: ZonePlace, reader: ZoneReader): Zone {
  const bytes = region.subarray(place.offset, place.offset + place.size);
  const space = zoneSpace(place.size, reader.ecc) as ZoneSpace;
  const problems: Problem[] = [];
  const say = (code: ProblemCode, message: string, offset = 0) =>
    problems.push({
      code,
      offset: place.offset + offset,
      message: `${place.kind} zone ${place.index}: ${message}`,
    });
  const { header, corrected } = readHeader(bytes, space, reader);
  let correction: Correction | undefined;
  if (reader.code) {
    correction = { correctedBytes: Math.max(0, corrected), badBlocks: corrected < 0 ? 1 : 0 };
    if (corrected < 0)
      say('uncorrectable-header', 'more of its header is wrong than its parity can put right');
  }
  const kernelVersion =
    place.kind === 'ftrace' ? versionName((header.signature ^ SIGNATURE) >>> 0) : undefined;
  const zone = { ...place, capacity: space.capacity, kernelVersion, problems };
  const nothing = { data: NOTHING, isFull: false, correction };
  if (place.kind === 'ftrace' ? kernelVersion === undefined : header.signature !== SIGNATURE) {
    say(
      'no-signature',
      `its signature is 0x${header.signature.toString(16).padStart(8, '0')}, not that of a zone`,
    );
    return { ...zone, ...nothing, state: 'absent' };
  }
  if (header.size === 0) return { ...zone, ...nothing, state: 'empty' };
  if (header.size > space.capacity || header.start > header.size) {
    const found = `a size of ${header.size} and a start of ${header.start}`;
    say('invalid-header', `${found} cannot be where ${space.capacity} bytes fit`, 4);
    return { ...zone, ...nothing, state: 'invalid' };
  }
  const written = bytes.subarray(HEADER_SIZE, HEADER_SIZE + space.capacity);
  const blocks = reader.code && correctBlocks(written, header.size, bytes, space, reader.code);
  if (blocks && correction) {
    correction = {
      correctedBytes: correction.correctedBytes + blocks.correctedBytes,
      badBlocks: correction.badBlocks + blocks.bad.length,
    };
    const [first = 0] = blocks.bad;
    if (blocks.bad.length > 0) {
      say(
        'uncorrectable-blocks',
        `${blocks.bad.length} blocks of data are beyond repair`,
        HEADER_SIZE + first,
      );
    }
  }
  return {
    ...zone,
    state: 'used',
    data: unrolled(blocks?.data ?? written, header),
    isFull: header.size === space.capacity,
    correction,
  };
}

/** What a version code stands for; undefined when it is none. */
export function versionName(code: number): string | undefined {
  const [major, minor, sublevel] = [code >>> 16, (code >>> 8) & 0xff, code & 0xff];
  return major >= 2 && major <= 99 ? `${major}.${minor}.${sublevel}` : undefined;
}

/** 32 bits at a place. */
export function readWord(bytes: Uint8Array, offset: number, byteOrder: ByteOrder): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(offset, offset + 4);
  return (
    (byteOrder === 'little' ? (d << 24) | (c << 16) | (b << 8) | a : (a << 24) | (b << 16) | (c << 8) | d) >>>
    0
  );
}

/** The header, and how many wrong bytes were put right in it; -1 when it is left as it was. */
function readHeader(
  bytes: Uint8Array,
  space: ZoneSpace,
  { code, byteOrder }: ZoneReader,
): { header: Header; corrected: number } {
  let header = bytes;
  let corrected = 0;
  if (code && !code.matches(bytes, 0, HEADER_SIZE, bytes, space.headerParity)) {
    header = codeword(bytes, 0, HEADER_SIZE, space.headerParity, code.parity);
    corrected = code.correct(header);
  }
  const word = (offset: number) => readWord(header, offset, byteOrder);
  return { header: { signature: word(0), start: word(4), size: word(8) }, corrected };
}

/** What was written, corrected; all of it is copied if there is anything to correct, and nothing otherwise. */
function correctBlocks(
  written: Uint8Array,
  size: number,
  bytes: Uint8Array,
  space: ZoneSpace,
  code: ReedSolomon,
): { data: Uint8Array; correctedBytes: number; bad: number[] } {
  let data = written;
  let correctedBytes = 0;
  const bad: number[] = [];
  for (let start = 0, parity = space.blockParity; start < size; start += BLOCK_SIZE, parity += code.parity) {
    const length = Math.min(BLOCK_SIZE, written.length - start);
    if (code.matches(written, start, length, bytes, parity)) continue;
    const word = codeword(bytes, HEADER_SIZE + start, length, parity, code.parity);
    const corrected = code.correct(word);
    if (corrected < 0) {
      bad.push(start);
      continue;
    }
    correctedBytes += corrected;
    // Not slice(): that of a Buffer is a view.
    if (data === written) data = new Uint8Array(written);
    data.set(word.subarray(0, length), start);
  }
  return { data, correctedBytes, bad };
}

function codeword(
  bytes: Uint8Array,
  start: number,
  length: number,
  parity: number,
  count: number,
): Uint8Array {
  const word = new Uint8Array(length + count);
  word.set(bytes.subarray(start, start + length));
  word.set(bytes.subarray(parity, parity + count), length);
  return word;
}

/** The oldest byte first (persistent_ram_save_old). */
function unrolled(written: Uint8Array, { start, size }: Header): Uint8Array {
  if (start === 0 || start === size) return written.subarray(0, size);
  const data = new Uint8Array(size);
  data.set(written.subarray(start, size));
  data.set(written.subarray(0, start), size - start);
  return data;
}
