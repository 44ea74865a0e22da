import * as zlib from 'node:zlib';
import type { Compression } from '../compression/decompress.ts';
import { PstoreError } from '../pstore-error.ts';
import { compress842 } from './compress-842.ts';
import { compressLz4 } from './compress-lz4.ts';
import { compressLzo } from './compress-lzo.ts';

/** crypto/deflate.c, DEFLATE_DEF_WINBITS; and fs/pstore/platform.c before 4.18, WINDOW_BITS. */
const DEFLATE_WINDOW = 11;
const ZLIB_WINDOW = 12;

/**
 * Compresses a dump so that the kernel's decompressor reads it.
 *
 * @throws {PstoreError} ERR_RECORD for zstd where Node.js has none (before 22.15)
 */
export function compress(compression: Compression, data: Uint8Array): Uint8Array {
  switch (compression) {
    case 'deflate':
      return zlib.deflateRawSync(data, { windowBits: DEFLATE_WINDOW });
    case 'zlib':
      return zlib.deflateSync(data, { windowBits: ZLIB_WINDOW });
    case 'lz4':
      return compressLz4(data);
    case 'lzo':
      return compressLzo(data);
    case '842':
      return compress842(data);
    case 'zstd':
      if (typeof zlib.zstdCompressSync !== 'function') {
        throw new PstoreError('ERR_RECORD', `Node.js ${process.version} has no zstd: use 22.15 or later`);
      }
      // Like the kernel, say how much there is.
      return zlib.zstdCompressSync(data, { pledgedSrcSize: data.length });
  }
}
