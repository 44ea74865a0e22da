import { HEADER_SIZE, MessageType } from '../wire/messages.ts';
import { QID_SIZE, type Qid } from '../wire/qid.ts';
import { Attributes } from './attributes.ts';
import { DirectoryEntries } from './directory-entries.ts';

/** Most pieces that a batch of replies may lie in; IOV_MAX of Linux. */
const MAX_RANGES = 1024;

/**
 * Replies waiting to be sent, one after another in one buffer. The message being written begins at `at`; it joins the
 * batch with `finish` or `fail`. Pieces are adjacent but for the gaps that `align` leaves.
 */
export class ReplyBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly attributes: Attributes;
  readonly entries: DirectoryEntries;
  /** Pairs (start, length) of the finished replies, adjacent ones joined. */
  readonly ranges = new Uint32Array(2 * MAX_RANGES);
  rangeCount = 0;
  /** Where the message being written begins. */
  at = 0;
  /** Where the finished messages end. */
  end = 0;

  /** @param bytes for this buffer alone; replies are aligned relative to the first of them */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.attributes = new Attributes(this.view);
    this.entries = new DirectoryEntries(this.bytes, this.view);
  }

  get isEmpty(): boolean {
    return this.rangeCount === 0;
  }

  /** Whether a message of up to `size` bytes can be added. */
  fits(size: number): boolean {
    return this.end + size + ALIGNMENT <= this.bytes.length && this.rangeCount < MAX_RANGES;
  }

  /** Starts a message behind the finished ones. */
  begin(): void {
    this.at = this.end;
  }

  /** Moves the message being written so that its byte `offset` lies at a multiple of 64: bulk copies to it are faster. */
  align(offset: number): void {
    this.at = ((this.at + offset + ALIGNMENT - 1) & -ALIGNMENT) - offset;
  }

  /** The message being written, `size` bytes in all with the header, is complete. */
  finish(type: number, tag: number, size: number): void {
    const { view, at, ranges } = this;
    view.setUint32(at, size, true);
    view.setUint8(at + 4, type);
    view.setUint16(at + 5, tag, true);
    if (this.rangeCount > 0 && at === this.end) {
      const last = 2 * this.rangeCount - 1;
      ranges[last] = (ranges[last] as number) + size;
    } else {
      ranges[2 * this.rangeCount] = at;
      ranges[2 * this.rangeCount + 1] = size;
      this.rangeCount++;
    }
    this.end = at + size;
  }

  /** The request is answered with an Rlerror instead. */
  fail(tag: number, errno: number): void {
    this.at = this.end;
    this.view.setUint32(this.at + HEADER_SIZE, errno, true);
    this.finish(MessageType.Rlerror, tag, HEADER_SIZE + 4);
  }

  /** The first `sent` bytes of the batch have been sent. */
  drop(sent: number): void {
    const { ranges } = this;
    let whole = 0;
    while (whole < this.rangeCount && sent >= (ranges[2 * whole + 1] as number)) {
      sent -= ranges[2 * whole + 1] as number;
      whole++;
    }
    this.rangeCount -= whole;
    if (this.rangeCount === 0) return;
    if (whole > 0) ranges.copyWithin(0, 2 * whole, 2 * (whole + this.rangeCount));
    ranges[0] = (ranges[0] as number) + sent;
    ranges[1] = (ranges[1] as number) - sent;
  }

  /** Everything was sent. */
  reset(): void {
    this.at = 0;
    this.end = 0;
    this.rangeCount = 0;
  }

  /**
   * Leaves this buffer to the message being written, which is finished later, and gives the finished replies to a new one of that size.
   */
  splitFinished(other: ReplyBuffer): ReplyBuffer {
    for (let i = 0; i < this.rangeCount; i++) {
      const start = this.ranges[2 * i] as number;
      const length = this.ranges[2 * i + 1] as number;
      other.bytes.set(this.bytes.subarray(start, start + length), start);
    }
    other.ranges.set(this.ranges);
    other.rangeCount = this.rangeCount;
    other.end = this.end;
    this.rangeCount = 0;
    this.end = this.at;
    return other;
  }

  /** Writes a qid at `offset` of the message being written; where it ends, as an offset. */
  qid(offset: number, qid: Qid): number {
    const { view } = this;
    const at = this.at + offset;
    view.setUint8(at, qid.type);
    view.setUint32(at + 1, qid.version, true);
    view.setUint32(at + 5, qid.pathLow, true);
    view.setUint32(at + 9, qid.pathHigh, true);
    return offset + QID_SIZE;
  }

  u8(offset: number, value: number): void {
    this.view.setUint8(this.at + offset, value);
  }
  u16(offset: number, value: number): void {
    this.view.setUint16(this.at + offset, value, true);
  }
  u32(offset: number, value: number): void {
    this.view.setUint32(this.at + offset, value, true);
  }
  u64(offset: number, value: number | bigint): void {
    this.view.setBigUint64(this.at + offset, BigInt.asUintN(64, BigInt(value)), true);
  }
}

/** A cache line: what bulk copies are aligned to. */
const ALIGNMENT = 64;
