// As much of the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding/) as log records need, written into a buffer that is
// there: a record is formatted when it comes, and travels later.

/** Wire types. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
const FIXED32 = 5;

/** Of a field whose number is below 16: a byte. */
export function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** A tag, and a length that takes four bytes whatever it is (up to 2^28): so what it is of can be written before it is known. */
export const HEADER = 1 + 4;

/** @returns where what has a length begins */
export function reserveLength(field: number, out: Uint8Array, at: number): number {
  out[at] = field;
  return at + HEADER;
}

/** Puts the length of what is between `start` and `end` before it. */
export function setLength(out: Uint8Array, start: number, end: number): void {
  const length = end - start;
  out[start - 4] = (length & 0x7f) | 0x80;
  out[start - 3] = ((length >> 7) & 0x7f) | 0x80;
  out[start - 2] = ((length >> 14) & 0x7f) | 0x80;
  out[start - 1] = (length >> 21) & 0x7f;
}

/** A number that is not negative. */
export function writeVarint(field: number, number: number, out: Uint8Array, at: number): number {
  out[at] = field;
  let to = at + 1;
  let rest = number;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) out[to++] = (rest % 128) | 0x80;
  out[to] = rest;
  return to + 1;
}

export function writeFixed64(field: number, number: bigint, out: Uint8Array, at: number): number {
  out[at] = field;
  let rest = number;
  for (let i = 1; i <= 8; i++, rest >>= 8n) out[at + i] = Number(rest & 0xffn);
  return at + 9;
}

/** A message of parts that are encoded already. */
export function message(field: number, ...parts: readonly Uint8Array[]): Buffer {
  const whole = Buffer.concat([Buffer.alloc(HEADER), ...parts]);
  setLength(whole, reserveLength(field, whole, 0), whole.length);
  return whole;
}

export interface Field {
  readonly number: number;
  /** Of a varint. */
  readonly value: number;
  /** Of what has a length. */
  readonly bytes: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** The fields of a message that someone else has sent. Behind what is malformed there are none. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  for (let at = 0; at < bytes.length; ) {
    const key = readVarint(bytes, at);
    const wireType = key.value & 7;
    const number = Math.floor(key.value / 8);
    at = key.end;
    if (wireType === FIXED64 || wireType === FIXED32) {
      at += wireType === FIXED64 ? 8 : 4;
      continue;
    }
    if (wireType !== VARINT && wireType !== LENGTH) return;
    const { value, end } = readVarint(bytes, at);
    at = end;
    if (at > bytes.length) return;
    if (wireType === VARINT) {
      yield { number, value, bytes: NOTHING };
      continue;
    }
    if (value > bytes.length - at) return;
    yield { number, value: 0, bytes: bytes.subarray(at, at + value) };
    at += value;
  }
}

/** One that has no end ends behind the bytes. */
function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start, unit = 1; at < bytes.length && at < start + 10; at++, unit *= 128) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * unit;
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return { value, end: bytes.length + 1 };
}
