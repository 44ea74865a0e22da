import { FIELD_SIZE, leastSizeOf } from './layout.ts';
import { type FieldType, HEADER_SIZE, type Message, type MessageName, messages } from './messages.ts';
import { QID_SIZE, Qid } from './qid.ts';
import { WireError } from './wire-error.ts';

/*
 * Messages to bytes and back, by the table in messages.ts. The server does not come through here (it reads fields in place,
 * wire/layout.ts); the client and the tests do.
 */

interface Spec {
  readonly name: MessageName;
  readonly type: number;
  readonly fields: readonly (readonly [field: string, type: FieldType])[];
  /** Bytes of the whole frame when all its strings and lists are empty. */
  readonly leastSize: number;
}

type Values = Record<string, unknown>;

const specByName = new Map<string, Spec>();
const specByType: (Spec | undefined)[] = new Array(256).fill(undefined);
for (const name of Object.keys(messages) as MessageName[]) {
  const [type, fields] = messages[name];
  const spec: Spec = {
    name,
    type,
    fields: Object.entries(fields) as [string, FieldType][],
    leastSize: leastSizeOf(name),
  };
  specByName.set(name, spec);
  specByType[type] = spec;
}

/** The message of this type number: `messageNameOf(100) === 'Tversion'`; undefined if 9P2000.L has none. */
export function messageNameOf(type: number): MessageName | undefined {
  return specByType[type]?.name;
}

// ---------------------------------------------------------------------------------------------------------- encoding

/** Bytes the encoded message takes, header included. Throws WireError for a string, list or data too long for its length prefix. */
export function sizeOf(message: Message): number {
  return measure(specOf(message), message as unknown as Values);
}

/** The message as a frame of its own. Throws WireError as `encodeInto` does. */
export function encode(message: Message): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(sizeOf(message));
  encodeInto(message, frame);
  return frame;
}

/**
 * Writes the message's frame to `buffer` from `offset` on; returns how many bytes that took.
 *
 * Throws WireError when it does not fit (nothing is written then) or when a field's value is missing, of the wrong type or out of range.
 */
export function encodeInto(message: Message, buffer: Uint8Array, offset = 0): number {
  const spec = specOf(message);
  const values = message as unknown as Values;
  const size = measure(spec, values);
  if (offset < 0 || size > buffer.length - offset) {
    throw new WireError('ERR_P9_BUFFER_SIZE', {
      offset,
      messageName: spec.name,
      expected: `${size} bytes of room`,
      found: `${Math.max(0, buffer.length - offset)} (buffer of ${buffer.length})`,
    });
  }
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  view.setUint32(offset, size, true);
  view.setUint8(offset + 4, spec.type);
  view.setUint16(offset + 5, integer(spec, 'tag', values['tag'], 0xffff, offset + 5), true);
  let at = offset + HEADER_SIZE;
  for (const [field, type] of spec.fields) at = put(spec, field, type, values[field], buffer, view, at);
  return size;
}

function specOf(message: Message): Spec {
  const spec = specByName.get(message.message);
  if (spec !== undefined) return spec;
  throw new WireError('ERR_P9_MESSAGE_TYPE', {
    offset: 4,
    expected: 'the name of a 9P2000.L message',
    found: String(message.message),
  });
}

function measure(spec: Spec, values: Values): number {
  let size = spec.leastSize;
  for (const [field, type] of spec.fields) {
    const value = values[field];
    switch (type) {
      case 'string':
        size += byteLength(spec, field, value, 0xffff);
        break;
      case 'data':
        size += byteLength(spec, field, value, 0xffffffff);
        break;
      case 'qid[]':
        size += QID_SIZE * list(spec, field, value).length;
        break;
      case 'string[]': {
        const strings = list(spec, field, value);
        size += FIELD_SIZE.string * strings.length;
        for (let index = 0; index < strings.length; index++) {
          size += byteLength(spec, field, strings[index], 0xffff, index);
        }
        break;
      }
    }
  }
  if (size > 0xffffffff) throw badValue(spec, undefined, 0, 'at most 4294967295 bytes', `${size}`);
  return size;
}

function put(
  spec: Spec,
  field: string,
  type: FieldType,
  value: unknown,
  buffer: Uint8Array,
  view: DataView,
  at: number,
): number {
  switch (type) {
    case 'u8':
      view.setUint8(at, integer(spec, field, value, 0xff, at));
      return at + 1;
    case 'u16':
      view.setUint16(at, integer(spec, field, value, 0xffff, at), true);
      return at + 2;
    case 'u32':
      view.setUint32(at, integer(spec, field, value, 0xffffffff, at), true);
      return at + 4;
    case 'u64':
      if (typeof value !== 'bigint' || value < 0n || value > 0xffffffffffffffffn) {
        throw badValue(spec, field, at, 'a bigint from 0 to 2^64-1', describe(value));
      }
      view.setBigUint64(at, value, true);
      return at + 8;
    case 'qid':
      return putQid(spec, field, value, view, at);
    case 'qid[]': {
      const qids = list(spec, field, value);
      view.setUint16(at, qids.length, true);
      let next = at + 2;
      for (const qid of qids) next = putQid(spec, field, qid, view, next);
      return next;
    }
    case 'string':
      return putString(value as Uint8Array, buffer, view, at);
    case 'string[]': {
      const strings = list(spec, field, value);
      view.setUint16(at, strings.length, true);
      let next = at + 2;
      for (const string of strings) next = putString(string as Uint8Array, buffer, view, next);
      return next;
    }
    case 'data': {
      const bytes = value as Uint8Array;
      view.setUint32(at, bytes.length, true);
      buffer.set(bytes, at + 4);
      return at + 4 + bytes.length;
    }
  }
}

// Lengths were checked by `measure`.
function putString(bytes: Uint8Array, buffer: Uint8Array, view: DataView, at: number): number {
  view.setUint16(at, bytes.length, true);
  buffer.set(bytes, at + 2);
  return at + 2 + bytes.length;
}

function putQid(spec: Spec, field: string, value: unknown, view: DataView, at: number): number {
  if (!(value instanceof Qid)) throw badValue(spec, field, at, 'a Qid', describe(value));
  view.setUint8(at, integer(spec, `${field}.type`, value.type, 0xff, at));
  view.setUint32(at + 1, integer(spec, `${field}.version`, value.version, 0xffffffff, at + 1), true);
  view.setUint32(at + 5, integer(spec, `${field}.pathLow`, value.pathLow, 0xffffffff, at + 5), true);
  view.setUint32(at + 9, integer(spec, `${field}.pathHigh`, value.pathHigh, 0xffffffff, at + 9), true);
  return at + QID_SIZE;
}

function integer(spec: Spec, field: string, value: unknown, most: number, at: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw badValue(spec, field, at, `an integer from 0 to ${most}`, describe(value));
}

function byteLength(spec: Spec, field: string, value: unknown, most: number, index?: number): number {
  if (value instanceof Uint8Array && value.length <= most) return value.length;
  const found = value instanceof Uint8Array ? `${value.length}` : describe(value);
  throw badValue(spec, element(field, index), 0, `a Uint8Array of at most ${most} bytes`, found);
}

function list(spec: Spec, field: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw badValue(spec, field, 0, 'an array', describe(value));
  if (value.length <= 0xffff) return value;
  throw badValue(spec, field, 0, 'at most 65535 elements', `${value.length}`);
}

function badValue(
  spec: Spec,
  field: string | undefined,
  offset: number,
  expected: string,
  found: string,
): WireError {
  return new WireError('ERR_P9_FIELD_VALUE', { offset, messageName: spec.name, field, expected, found });
}

/** `wnames[3]`; only made for errors. */
function element(field: string, index: number | undefined): string {
  return index === undefined ? field : `${field}[${index}]`;
}

function describe(value: unknown): string {
  if (typeof value === 'number') return `${value}`;
  if (typeof value === 'bigint') return `${value}n`;
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}

// ---------------------------------------------------------------------------------------------------------- decoding

/**
 * The message in `frame`, which is one whole frame and nothing more. Strings and data are views of it, not copies.
 *
 * Throws WireError for anything that is not exactly one well-formed message. Work and memory are bounded by the frame's length, whatever its
 * prefixes claim, and what decodes encodes to the same bytes again.
 */
export function decode(frame: Uint8Array): Message {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const spec = readHeader(frame, view);
  const message: Values = { message: spec.name, tag: view.getUint16(5, true) };
  const cursor: Cursor = { spec, frame, view, at: HEADER_SIZE };
  for (const [field, type] of spec.fields) message[field] = take(cursor, field, type);
  if (cursor.at !== frame.length) {
    throw new WireError('ERR_P9_TRAILING_BYTES', {
      offset: cursor.at,
      messageName: spec.name,
      expected: 'the end of the frame',
      found: `${frame.length - cursor.at} more bytes (frame of ${frame.length})`,
    });
  }
  return message as unknown as Message;
}

interface Cursor {
  readonly spec: Spec;
  readonly frame: Uint8Array;
  readonly view: DataView;
  at: number;
}

function readHeader(frame: Uint8Array, view: DataView): Spec {
  if (frame.length < HEADER_SIZE) {
    throw new WireError('ERR_P9_FRAME_SIZE', {
      offset: 0,
      expected: `at least the ${HEADER_SIZE} bytes of a header`,
      found: `${frame.length}`,
    });
  }
  const size = view.getUint32(0, true);
  const type = view.getUint8(4);
  const spec = specByType[type];
  if (size !== frame.length) {
    throw new WireError('ERR_P9_FRAME_SIZE', {
      offset: 0,
      messageName: spec?.name,
      expected: `size ${frame.length}, the length of the frame`,
      found: `size ${size}`,
    });
  }
  if (spec !== undefined) return spec;
  throw new WireError('ERR_P9_MESSAGE_TYPE', {
    offset: 4,
    expected: 'the type of a 9P2000.L message',
    found: `${type}`,
  });
}

function take(cursor: Cursor, field: string, type: FieldType): unknown {
  const { view, frame } = cursor;
  const at = advance(cursor, field, FIELD_SIZE[type]);
  switch (type) {
    case 'u8':
      return view.getUint8(at);
    case 'u16':
      return view.getUint16(at, true);
    case 'u32':
      return view.getUint32(at, true);
    case 'u64':
      return view.getBigUint64(at, true);
    case 'qid':
      return readQid(view, at);
    case 'qid[]': {
      const count = view.getUint16(at, true);
      // Checked as a whole before anything is allocated for it.
      const first = advance(cursor, field, QID_SIZE * count);
      return Array.from({ length: count }, (_, index) => readQid(view, first + QID_SIZE * index));
    }
    case 'string':
      return takeBytes(cursor, field, view.getUint16(at, true));
    case 'data':
      return takeBytes(cursor, field, view.getUint32(at, true));
    case 'string[]': {
      const count = view.getUint16(at, true);
      if (count * FIELD_SIZE.string > frame.length - cursor.at) {
        throw overrun(cursor, field, `${count} strings`);
      }
      const strings: Uint8Array[] = [];
      for (let index = 0; index < count; index++) {
        const length = view.getUint16(advance(cursor, field, FIELD_SIZE.string, index), true);
        strings.push(takeBytes(cursor, field, length, index));
      }
      return strings;
    }
  }
}

function takeBytes(cursor: Cursor, field: string, length: number, index?: number): Uint8Array {
  const at = advance(cursor, field, length, index);
  const { frame } = cursor;
  // Not `subarray`: that of a Buffer is a Buffer, whose `slice` is not a copy.
  return new Uint8Array(frame.buffer, frame.byteOffset + at, length);
}

/** Where the next `length` bytes are; moves past them. */
function advance(cursor: Cursor, field: string, length: number, index?: number): number {
  const { at } = cursor;
  if (length > cursor.frame.length - at) throw overrun(cursor, element(field, index), `${length} bytes`);
  cursor.at = at + length;
  return at;
}

function overrun({ spec, frame, at }: Cursor, field: string, expected: string): WireError {
  return new WireError('ERR_P9_FIELD_OVERRUN', {
    offset: at,
    messageName: spec.name,
    field,
    expected,
    found: `${frame.length - at} left (frame of ${frame.length})`,
  });
}

function readQid(view: DataView, at: number): Qid {
  const qid = new Qid();
  qid.type = view.getUint8(at);
  qid.version = view.getUint32(at + 1, true);
  qid.pathLow = view.getUint32(at + 5, true);
  qid.pathHigh = view.getUint32(at + 9, true);
  return qid;
}
