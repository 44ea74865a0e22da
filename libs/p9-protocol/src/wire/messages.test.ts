import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MessageType, messages } from './messages.ts';

interface Row {
  code: number;
  fields: [name: string, kind: string][];
}

/** The table as written down apart from ours. */
function readFacts(): Map<string, Row> {
  const text = readFileSync(new URL('../../test/data/9p2000.L.tsv', import.meta.url), 'utf8');
  const facts = new Map<string, Row>();
  const [head, ...lines] = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(head).toBe('code\tmessage\tfield\tkind');
  for (const line of lines) {
    const [code, message, field, kind] = line.split('\t') as [string, string, string, string];
    const row = facts.get(message) ?? { code: Number(code), fields: [] };
    if (field !== '') row.fields.push([field, kind]);
    facts.set(message, row);
  }
  return facts;
}

/** Where our name for a field is not the other one in camel case. */
const otherNames: Record<string, string> = {
  'Tsymlink.fid': 'dfid',
  'Tlcreate.fid': 'fid',
  'Tsymlink.symtgt': 'target',
  'Tgetattr.requestMask': 'mask',
  'Txattrcreate.attrSize': 'size',
  'Tunlinkat.dirfd': 'dirfid',
  'Rstatfs.ty': 'type',
  'Rgetlock.ty': 'type',
};

test('codes, order and kinds of all fields agree with a table written down elsewhere', () => {
  const facts = readFacts();
  expect(facts.size).toBeGreaterThan(50);
  for (const [name, { code, fields }] of facts) {
    const ours = messages[name as keyof typeof messages];
    expect(ours, name).toBeDefined();
    expect([name, ours[0]]).toStrictEqual([name, code]);
    const expected = fields.map(([field, kind]) => {
      const camel = field.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      return [`${name}.${otherNames[`${name}.${camel}`] ?? camel}`, kind];
    });
    expect(Object.entries(ours[1]).map(([field, kind]) => [`${name}.${field}`, kind])).toStrictEqual(
      expected,
    );
  }
});

test('no message of ours is missing there, and each request has the reply numbered one above it', () => {
  const facts = readFacts();
  const absent = Object.keys(messages).filter((name) => !facts.has(name));
  expect(absent).toStrictEqual([]);
  for (const [name, type] of Object.entries(MessageType)) {
    if (!name.startsWith('T')) continue;
    expect(MessageType[`R${name.slice(1)}` as keyof typeof MessageType], name).toBe(type + 1);
  }
});

test('no two messages share a type', () => {
  const types = Object.values(messages).map(([type]) => type);
  expect(new Set(types).size).toBe(types.length);
});
