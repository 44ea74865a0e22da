import { crc32 } from 'node:zlib';
import type { Batch } from './batch.ts';

// u32 magic, u32 CRC-32 of all that follows, u32 bytes of records, u32 records, u64 number, u16 bytes of the stream's name, u16 senders;
// the stream's name, an i32 for each sender, the records. Little endian.
const MAGIC = 0x4c53_4d56; // "VMSL"
const CRC = 4;
const LENGTH = 8;
const RECORDS = 12;
const NUMBER = 16;
const STREAM_LENGTH = 24;
const SENDERS = 26;
export const FRAME_HEADER = 28;

/** Senders that a frame can name. */
export const MAX_SENDERS = 0xffff;

/** A batch as it stands in a file. */
export function encodeFrame(batch: Batch): Buffer {
  const stream = Buffer.from(batch.stream);
  const records = FRAME_HEADER + stream.length + 4 * batch.senders.length;
  const frame = Buffer.allocUnsafe(records + batch.bytes.length);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt32LE(batch.bytes.length, LENGTH);
  frame.writeUInt32LE(batch.records, RECORDS);
  frame.writeBigUInt64LE(batch.number, NUMBER);
  frame.writeUInt16LE(stream.length, STREAM_LENGTH);
  frame.writeUInt16LE(batch.senders.length, SENDERS);
  frame.set(stream, FRAME_HEADER);
  for (const [index, sender] of batch.senders.entries()) {
    frame.writeInt32LE(sender, FRAME_HEADER + stream.length + 4 * index);
  }
  frame.set(batch.bytes, records);
  frame.writeUInt32LE(crc32(frame.subarray(LENGTH)), CRC);
  return frame;
}

/** How long the frame is that begins with these bytes; undefined: none begins here. */
export function frameLength(header: Buffer): number | undefined {
  if (header.length < FRAME_HEADER || header.readUInt32LE(0) !== MAGIC) return undefined;
  const names = header.readUInt16LE(STREAM_LENGTH) + 4 * header.readUInt16LE(SENDERS);
  return FRAME_HEADER + names + header.readUInt32LE(LENGTH);
}

/** The batch of a frame; undefined: it is damaged. */
export function decodeFrame(frame: Buffer): Batch | undefined {
  if (frameLength(frame) !== frame.length || crc32(frame.subarray(LENGTH)) !== frame.readUInt32LE(CRC)) {
    return undefined;
  }
  const streamEnd = FRAME_HEADER + frame.readUInt16LE(STREAM_LENGTH);
  const count = frame.readUInt16LE(SENDERS);
  return {
    stream: frame.toString('utf8', FRAME_HEADER, streamEnd),
    number: frame.readBigUInt64LE(NUMBER),
    records: frame.readUInt32LE(RECORDS),
    senders: Array.from({ length: count }, (_, index) => frame.readInt32LE(streamEnd + 4 * index)),
    bytes: frame.subarray(streamEnd + 4 * count),
  };
}
