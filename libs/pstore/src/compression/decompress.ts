import { decompress as decompressZstd } from 'fzstd';
import { CorruptData, corrupt } from './bits.ts';
import { inflate, inflateZlib, isZlib } from './inflate.ts';
import { decompressLz4 } from './lz4.ts';
import { decompressLzo } from './lzo.ts';
import { decompress842 } from './nx842.ts';

/** What Linux can be told to compress dumps with (pstore.compress=); `zlib` is deflate as kernels before 4.18 wrote it. */
export const compressions = ['deflate', 'zlib', 'lz4', 'lzo', '842', 'zstd'] as const;

/** `lz4hc` gives what lz4 reads. */
export type Compression = (typeof compressions)[number];

const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** A dump of any kernel begins with why it was made: `Panic#1 Part1`. */
const DUMP_HEAD = /^[A-Z][a-z]+#\d+ Part\d+\n/;
const HEAD_LENGTH = 64;

const decompressors: Readonly<Record<Compression, (source: Uint8Array, limit: number) => Uint8Array>> = {
  deflate: inflate,
  zlib: inflateZlib,
  lz4: decompressLz4,
  lzo: decompressLzo,
  842: decompress842,
  zstd: unpackZstd,
};

/**
 * Decompresses a dump. A region does not say which compressor wrote it: the one whose reading begins as a dump does, or else
 * deflate, as long as it reads to the end.
 *
 * @param room bytes that the dump had in its zone, from which follows how large it can have been
 * @returns undefined when nothing reads it; the kernel then shows it as it is
 */
export function decompressDump(
  source: Uint8Array,
  room: number,
  forced?: Compression,
): { compression: Compression; data: Uint8Array } | undefined {
  if (forced) {
    const data = attempt(forced, source, room);
    return data && { compression: forced, data };
  }
  let fallback: Uint8Array | undefined;
  for (const compression of candidates(source)) {
    const data = attempt(compression, source, room);
    if (data && beginsAsDump(data)) return { compression, data };
    if (compression === 'deflate') fallback = data;
  }
  return fallback && { compression: 'deflate', data: fallback };
}

export function beginsAsDump(data: Uint8Array): boolean {
  return DUMP_HEAD.test(String.fromCharCode(...data.subarray(0, HEAD_LENGTH)));
}

function candidates(source: Uint8Array): readonly Compression[] {
  if (ZSTD_MAGIC.every((byte, index) => source[index] === byte)) return ['zstd'];
  if (isZlib(source)) return ['zlib', 'lz4', 'lzo', '842'];
  return ['deflate', 'lz4', 'lzo', '842'];
}

function attempt(compression: Compression, source: Uint8Array, room: number): Uint8Array | undefined {
  try {
    return decompressors[compression](source, largest(compression, room));
  } catch (error) {
    if (error instanceof CorruptData) return undefined;
    throw error;
  }
}

/** How large a buffer Linux 6.1 decompresses into (zbufsize_*() in fs/pstore/platform.c); other releases take no larger one. */
function largest(compression: Compression, room: number): number {
  switch (compression) {
    case 'deflate':
    case 'zlib':
      return Math.floor((room * 100) / expectedPercent(room));
    case 'lzo':
      return room + Math.floor(room / 16) + 64 + 3 + 2;
    case 'lz4':
      return room + Math.floor(room / 255) + 16;
    case 'zstd':
      return room + (room >>> 8) + (room < 0x20000 ? (0x20000 - room) >>> 11 : 0);
    case '842':
      return room;
  }
}

function expectedPercent(room: number): number {
  if (room >= 1000 && room <= 2000) return 56;
  if (room > 2000 && room <= 3000) return 54;
  if (room > 3000 && room <= 3999) return 52;
  return room >= 4000 && room <= 10000 ? 45 : 60;
}

/** fzstd wants to know how much there is, and does not say so when there is more. */
function unpackZstd(source: Uint8Array, limit: number): Uint8Array {
  const size = zstdContentSize(source);
  if (size !== undefined && size > limit) corrupt('more than allowed');
  let data: Uint8Array;
  try {
    data = decompressZstd(source, new Uint8Array(size ?? limit));
  } catch (error) {
    return corrupt(`no zstd stream: ${error}`);
  }
  if (size !== undefined && data.length !== size) corrupt('another size than was said');
  return data;
}

/** RFC 8878, 3.1.1.1: the size of what a frame holds, if its header tells it. */
function zstdContentSize(source: Uint8Array): number | undefined {
  const descriptor = source[4] ?? corrupt('the input ends early');
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const flag = descriptor >>> 6;
  if (flag === 0 && !isSingleSegment) return undefined;
  const bytes = 2 ** flag;
  const start = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] as number);
  let size = flag === 1 ? 256 : 0;
  for (let index = 0; index < bytes; index++) size += (source[start + index] ?? 0) * 256 ** index;
  return size;
}
