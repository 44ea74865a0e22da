import { type FieldsOf, type FieldType, HEADER_SIZE, type MessageName, messages } from './messages.ts';
import { QID_SIZE } from './qid.ts';

/** Bytes of a field that always has the same size; the least bytes (its length prefix) of one that has not. */
export const FIELD_SIZE: Record<FieldType, number> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  qid: QID_SIZE,
  string: 2,
  'string[]': 2,
  'qid[]': 2,
  data: 4,
};

const VARIABLE = new Set<FieldType>(['string', 'string[]', 'qid[]', 'data']);

/**
 * Where a message's fields begin, in bytes from the start of the frame, up to and including the first field of variable
 * size (of that one, where its length prefix begins). Module-level constants made from this are folded by the JIT.
 */
export function offsetsOf<N extends MessageName>(name: N): { readonly [F in keyof FieldsOf<N>]: number } {
  const offsets: Record<string, number> = {};
  let offset = HEADER_SIZE;
  for (const [field, type] of Object.entries(messages[name][1]) as [string, FieldType][]) {
    offsets[field] = offset;
    if (VARIABLE.has(type)) break;
    offset += FIELD_SIZE[type];
  }
  return offsets as { readonly [F in keyof FieldsOf<N>]: number };
}

/** Size in bytes of a whole message whose fields of variable size are all empty. */
export function leastSizeOf(name: MessageName): number {
  let size = HEADER_SIZE;
  for (const type of Object.values(messages[name][1]) as FieldType[]) size += FIELD_SIZE[type];
  return size;
}

/** Why a frame is not a well-formed message. */
export type Malformation = 'short' | 'trailing' | 'overrun';

const leastSize = new Uint32Array(256);
const hasVariable = new Uint8Array(256);
const fieldsByType: (readonly FieldType[])[] = [];
for (const [name, [type, fields]] of Object.entries(messages) as [
  MessageName,
  [number, Record<string, FieldType>],
][]) {
  leastSize[type] = leastSizeOf(name);
  fieldsByType[type] = Object.values(fields);
  hasVariable[type] = fieldsByType[type].some((field) => VARIABLE.has(field)) ? 1 : 0;
}

/** Whether the table has a message of this type number. */
export function isKnownType(type: number): boolean {
  return leastSize[type] !== 0;
}

/**
 * Whether the frame view[start, end) is well formed for its type, which must be known: every field lies inside it and
 * nothing follows the last one. Handlers read fields without further checks after this.
 */
export function isWellFormed(type: number, view: DataView, start: number, end: number): boolean {
  if (hasVariable[type] === 0) return end - start === leastSize[type];
  return endOfFields(type, view, start, end) === end;
}

/** Where the last field of the frame ends, or -1 when a field does not fit. Work is bounded by the frame's size. */
export function endOfFields(type: number, view: DataView, start: number, end: number): number {
  if (end - start < (leastSize[type] as number)) return -1;
  let at = start + HEADER_SIZE;
  for (const field of fieldsByType[type] as FieldType[]) {
    if (at + FIELD_SIZE[field] > end) return -1;
    switch (field) {
      case 'string':
        at += 2 + view.getUint16(at, true);
        break;
      case 'data':
        at += 4 + view.getUint32(at, true);
        break;
      case 'qid[]':
        at += 2 + QID_SIZE * view.getUint16(at, true);
        break;
      case 'string[]': {
        let left = view.getUint16(at, true);
        at += 2;
        while (left-- > 0) {
          if (at + 2 > end) return -1;
          at += 2 + view.getUint16(at, true);
        }
        break;
      }
      default:
        at += FIELD_SIZE[field];
    }
  }
  return at <= end ? at : -1;
}
