import fc from 'fast-check';
import {
  type FieldType,
  type FieldValues,
  type Message,
  type MessageName,
  messages,
} from '../src/wire/messages.ts';
import { Qid } from '../src/wire/qid.ts';

export const messageNames = Object.keys(messages) as MessageName[];

const u32 = fc.oneof(fc.nat(8), fc.constantFrom(0x7fffffff, 0xfffffffe, 0xffffffff), fc.nat(0xffffffff));
const u64 = fc.oneof(fc.bigInt(0n, 8n), fc.constant(2n ** 64n - 1n), fc.bigInt(0n, 2n ** 64n - 1n));
const string = fc.uint8Array({ maxLength: 40 });
const qid = fc.tuple(fc.nat(0xff), u32, u64).map(([type, version, path]) => new Qid(type, version, path));

/** Any value a field of each kind can hold; small and extreme numbers more often than others. */
export const arbitraryField: { readonly [T in FieldType]: fc.Arbitrary<FieldValues[T]> } = {
  u8: fc.nat(0xff),
  u16: fc.oneof(fc.nat(8), fc.nat(0xffff)),
  u32,
  u64,
  string,
  'string[]': fc.array(string, { maxLength: 20 }),
  data: fc.uint8Array({ maxLength: 200 }),
  qid,
  'qid[]': fc.array(qid, { maxLength: 20 }),
};

/** Any message called `name`, made from its row of the table; `fields` overrides how some of its fields are made. */
export function arbitraryMessage<N extends MessageName>(
  name: N,
  fields: Record<string, fc.Arbitrary<unknown>> = {},
): fc.Arbitrary<Message<N>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {
    message: fc.constant(name),
    tag: arbitraryField.u16,
  };
  for (const [field, type] of Object.entries(messages[name][1]) as [string, FieldType][]) {
    model[field] = fields[field] ?? arbitraryField[type];
  }
  return fc.record(model, { noNullPrototype: true }) as unknown as fc.Arbitrary<Message<N>>;
}

export const arbitraryAnyMessage: fc.Arbitrary<Message> = fc.oneof(
  ...messageNames.map((name) => arbitraryMessage(name) as fc.Arbitrary<Message>),
);
