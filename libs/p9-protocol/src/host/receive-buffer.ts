import { replyCapacity, type Session } from '../server/session.ts';
import { alignedBytes } from './aligned-bytes.ts';

/** Enough for what comes before the version is negotiated. */
const FIRST_CAPACITY = 8192;
/** Where received bytes begin: puts the data of a first Twrite, 23 bytes on, at a multiple of 64. */
const FIRST = 64 - 23;

/** What was received and is not served yet: bytes[start, end). */
export class ReceiveBuffer {
  bytes = alignedBytes(FIRST_CAPACITY);
  view = viewOf(this.bytes);
  start = FIRST;
  end = FIRST;

  /** Makes room to receive into; larger once a client that speaks has filled what there is, or needs it for its frame. */
  prepare(session: Session, hasSpoken: boolean): void {
    const { bytes, start, end } = this;
    if (start === end && !session.inputRetained) {
      this.start = FIRST;
      this.end = FIRST;
    }
    const capacity = replyCapacity(session.msize);
    const isWanted = (hasSpoken && end === bytes.length) || end - start >= FIRST_CAPACITY / 2;
    const mustGrow = bytes.length < capacity && isWanted;
    if (mustGrow || session.inputRetained) {
      this.bytes = alignedBytes(mustGrow ? capacity : bytes.length);
      this.view = viewOf(this.bytes);
      this.bytes.set(bytes.subarray(start, end), FIRST);
      session.inputRetained = false;
    } else if (bytes.length - this.end < bytes.length >> 1) {
      bytes.copyWithin(FIRST, start, end);
    } else {
      return;
    }
    this.end = FIRST + end - start;
    this.start = FIRST;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
