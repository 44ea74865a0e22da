/**
 * The server's unique identification of a file: 13 bytes on the wire (intro(5) of Plan 9, "qid").
 *
 * `path` is an unsigned 64-bit number kept as two 32-bit halves, so that replies are written without BigInt.
 */
export class Qid {
  /** QidType bits. */
  type: number;
  /** Changes whenever the file's content does; 32 bits. */
  version: number;
  pathLow: number;
  pathHigh: number;

  constructor(type = 0, version = 0, path: bigint | number = 0n) {
    const wide = BigInt(path);
    this.type = type;
    this.version = version >>> 0;
    this.pathLow = Number(wide & 0xffffffffn);
    this.pathHigh = Number((wide >> 32n) & 0xffffffffn);
  }

  get path(): bigint {
    return (BigInt(this.pathHigh) << 32n) | BigInt(this.pathLow);
  }
}

/** Size of a qid on the wire, bytes: type[1] version[4] path[8]. */
export const QID_SIZE = 13;

/** Bits of `Qid.type` (Linux include/net/9p/9p.h, enum p9_qid_t). */
export const QidType = {
  directory: 0x80,
  symlink: 0x02,
  file: 0x00,
} as const;
