/** A whole number of that many bits, little-endian; `w32` and `u64` are read as bigints, the others as numbers. */
export type Scalar = 'u8' | 'u16' | 'u32' | 'w32' | 'u64';

/** A scalar, so many of it, so many raw bytes, or a record inside. */
export type FieldType = Scalar | readonly [Scalar, number] | number | RecordType<Fields>;

/** Fields in the order they lie in, packed. */
export type Fields = Readonly<Record<string, FieldType>>;

type ScalarValue<S extends Scalar> = S extends 'u64' | 'w32' ? bigint : number;

export type ValueOf<T> = T extends Scalar
  ? ScalarValue<T>
  : T extends readonly [infer S extends Scalar, number]
    ? ScalarValue<S>[]
    : T extends number
      ? Uint8Array
      : T extends RecordType<infer F>
        ? Values<F>
        : never;

export type Values<F extends Fields> = { -readonly [K in keyof F]: ValueOf<F[K]> };

/** A wire structure, made from a table of its fields. */
export interface RecordType<F extends Fields> {
  readonly fields: F;
  /** In bytes. */
  readonly size: number;
  /** Where each field begins, in bytes from the start of the record. */
  readonly offsets: { readonly [K in keyof F]: number };
  /** @throws RangeError when the record does not fit into the view */
  read(view: DataView, offset?: number): Values<F>;
  /** Writes what is given; fields left out stay as they are. @throws RangeError */
  write(view: DataView, offset: number, values: Partial<Values<F>>): void;
  /** A record of its own; fields left out are 0. */
  encode(values: Partial<Values<F>>): Uint8Array<ArrayBuffer>;
}

const SIZES: Record<Scalar, number> = { u8: 1, u16: 2, u32: 4, w32: 4, u64: 8 };

function sizeOf(type: FieldType): number {
  if (typeof type === 'number') return type;
  if (typeof type === 'string') return SIZES[type];
  return Array.isArray(type)
    ? SIZES[type[0] as Scalar] * (type[1] as number)
    : (type as RecordType<Fields>).size;
}

function readScalar(type: Scalar, view: DataView, at: number): number | bigint {
  switch (type) {
    case 'u8':
      return view.getUint8(at);
    case 'u16':
      return view.getUint16(at, true);
    case 'u32':
      return view.getUint32(at, true);
    case 'w32':
      return BigInt(view.getUint32(at, true));
    case 'u64':
      return view.getBigUint64(at, true);
  }
}

function writeScalar(type: Scalar, view: DataView, at: number, value: number | bigint): void {
  if (type === 'u8') view.setUint8(at, value as number);
  else if (type === 'u16') view.setUint16(at, value as number, true);
  else if (type === 'u32') view.setUint32(at, value as number, true);
  else if (type === 'w32') view.setUint32(at, Number(BigInt.asUintN(32, value as bigint)), true);
  else view.setBigUint64(at, value as bigint, true);
}

function readField(type: FieldType, view: DataView, at: number): unknown {
  if (typeof type === 'string') return readScalar(type, view, at);
  if (typeof type === 'number') return bytesOf(view, at, type);
  if (!Array.isArray(type)) return (type as RecordType<Fields>).read(view, at);
  const [scalar, count] = type as [Scalar, number];
  return Array.from({ length: count }, (_, index) => readScalar(scalar, view, at + index * SIZES[scalar]));
}

function writeField(type: FieldType, view: DataView, at: number, value: unknown): void {
  if (typeof type === 'string') writeScalar(type, view, at, value as number | bigint);
  else if (typeof type === 'number') bytesOf(view, at, type).set((value as Uint8Array).subarray(0, type));
  else if (Array.isArray(type)) {
    const [scalar, count] = type as [Scalar, number];
    for (const [index, item] of (value as (number | bigint)[]).slice(0, count).entries()) {
      writeScalar(scalar, view, at + index * SIZES[scalar], item);
    }
  } else (type as RecordType<Fields>).write(view, at, value as Values<Fields>);
}

/** Part of a view, as bytes that share its memory. @throws RangeError */
export function bytesOf(view: DataView, at: number, length: number): Uint8Array {
  if (at < 0 || at + length > view.byteLength) throw new RangeError('outside the bytes that are there');
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}

/** A view of the same memory. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Joins bytes. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Makes a wire structure of a table: packed, little-endian, in the order of its fields. */
export function record<const F extends Fields>(fields: F): RecordType<F> {
  const offsets: Record<string, number> = {};
  let size = 0;
  for (const [name, type] of Object.entries(fields)) {
    offsets[name] = size;
    size += sizeOf(type);
  }
  const entries = Object.entries(fields);
  const type: RecordType<F> = {
    fields,
    size,
    offsets: offsets as { readonly [K in keyof F]: number },
    read(view, offset = 0) {
      const values: Record<string, unknown> = {};
      for (const [name, type] of entries)
        values[name] = readField(type, view, offset + (offsets[name] as number));
      return values as Values<F>;
    },
    write(view, offset, values) {
      for (const [name, type] of entries) {
        const value = values[name];
        if (value !== undefined) writeField(type, view, offset + (offsets[name] as number), value);
      }
    },
    encode(values) {
      const bytes = new Uint8Array(size);
      type.write(viewOf(bytes), 0, values);
      return bytes;
    },
  };
  return type;
}
