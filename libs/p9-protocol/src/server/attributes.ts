import { GetattrMask } from '../wire/flags.ts';
import { offsetsOf } from '../wire/layout.ts';
import { HEADER_SIZE } from '../wire/messages.ts';

/** Where each attribute lies, in bytes from the start of an Rgetattr frame. */
export const attributeOffsets = offsetsOf('Rgetattr');

const END = attributeOffsets.dataVersion + 8;

/**
 * The attributes of a file, written straight into the Rgetattr that answers the request: setters only, nothing is kept elsewhere.
 * Numbers may be given as number or bigint; times are seconds and nanoseconds since 1970.
 */
export class Attributes {
  readonly view: DataView;
  /** Where the Rgetattr frame begins in `view`. */
  base = 0;

  constructor(view: DataView) {
    this.view = view;
  }

  /** Starts an answer at `base`: all zero, valid = what stat(2) gives. */
  begin(base: number): void {
    this.base = base;
    const { view } = this;
    // The body has 153 bytes: eight at a time, and the last eight, which overlap.
    for (let at = base + HEADER_SIZE; at < base + END - 8; at += 8) view.setFloat64(at, 0, true);
    view.setFloat64(base + END - 8, 0, true);
    view.setUint32(base + attributeOffsets.valid, GetattrMask.basic, true);
  }

  /** Which attributes are given: GetattrMask. */
  set valid(mask: number) {
    this.#wide(attributeOffsets.valid, mask);
  }
  /** Type and permission bits, as st_mode. */
  set mode(mode: number) {
    this.view.setUint32(this.base + attributeOffsets.mode, mode, true);
  }
  set uid(uid: number) {
    this.view.setUint32(this.base + attributeOffsets.uid, uid, true);
  }
  set gid(gid: number) {
    this.view.setUint32(this.base + attributeOffsets.gid, gid, true);
  }
  set nlink(count: number | bigint) {
    this.#wide(attributeOffsets.nlink, count);
  }
  /** Device number as Linux encodes it in dev_t (makedev(3)). */
  set rdev(device: number | bigint) {
    this.#wide(attributeOffsets.rdev, device);
  }
  /** Bytes. */
  set size(bytes: number | bigint) {
    this.#wide(attributeOffsets.size, bytes);
  }
  /** Preferred size of a read or write, bytes. */
  set blksize(bytes: number | bigint) {
    this.#wide(attributeOffsets.blksize, bytes);
  }
  /** Units of 512 bytes. */
  set blocks(count: number | bigint) {
    this.#wide(attributeOffsets.blocks, count);
  }
  set atimeSec(seconds: number | bigint) {
    this.#wide(attributeOffsets.atimeSec, seconds);
  }
  set atimeNsec(nanoseconds: number) {
    this.#wide(attributeOffsets.atimeNsec, nanoseconds);
  }
  set mtimeSec(seconds: number | bigint) {
    this.#wide(attributeOffsets.mtimeSec, seconds);
  }
  set mtimeNsec(nanoseconds: number) {
    this.#wide(attributeOffsets.mtimeNsec, nanoseconds);
  }
  set ctimeSec(seconds: number | bigint) {
    this.#wide(attributeOffsets.ctimeSec, seconds);
  }
  set ctimeNsec(nanoseconds: number) {
    this.#wide(attributeOffsets.ctimeNsec, nanoseconds);
  }
  /** Time of birth; say so in `valid` too. */
  set btimeSec(seconds: number | bigint) {
    this.#wide(attributeOffsets.btimeSec, seconds);
  }
  set btimeNsec(nanoseconds: number) {
    this.#wide(attributeOffsets.btimeNsec, nanoseconds);
  }

  #wide(offset: number, value: number | bigint): void {
    const at = this.base + offset;
    if (typeof value === 'bigint') {
      this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
    } else {
      this.view.setUint32(at, value, true);
      this.view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
    }
  }
}
