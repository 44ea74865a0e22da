import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from '../memory/memory-file-system.ts';
import { Name } from '../name.ts';
import { ComposedFileSystem, type ComposedNode } from './composed-file-system.ts';
import { QidSpace } from './qid-space.ts';

describe('QidSpace', () => {
  test('ranges never share a path, and keep the low 48 bits', () => {
    const highs = fc.array(fc.tuple(fc.nat(3), fc.nat(0xffff), fc.nat(0xffff)), { maxLength: 200 });
    const property = fc.property(highs, (asked) => {
      const space = new QidSpace();
      const ranges = [0, 1, 2, 3].map(() => space.range());
      const seen = new Map<number, string>();
      for (const [index, high, low] of asked) {
        const mapped = ranges[index]!.map(((high << 16) | low) >>> 0);
        expect(mapped & 0xffff).toBe(low);
        expect(mapped >>> 16).not.toBe(0);
        const owner = `${index} ${high}`;
        expect(seen.get(mapped >>> 16) ?? owner).toBe(owner);
        seen.set(mapped >>> 16, owner);
      }
    });
    fc.assert(property);
  });

  test('what is given back is used again', () => {
    const space = new QidSpace();
    for (let round = 0; round < 100_000; round++) {
      const range = space.range();
      expect(range.map(0) >>> 16).toBe(1);
      range.giveBack();
    }
  });

  test('a filesystem whose paths are hashes keeps them, and leaves room for others', () => {
    const space = new QidSpace();
    const hashes = space.range();
    const first = Array.from({ length: 0x10000 }, (_, high) => hashes.map(high << 16));
    expect(first[0x8000]! >>> 16).toBe(0x8000);
    expect(Array.from({ length: 0x10000 }, (_, high) => hashes.map(high << 16))).toEqual(first);
    expect(new Set(first.slice(0, 1024)).size).toBe(1024);
    expect(space.range().map(0) >>> 16).toBe(1025);
  });
});

test('mounting and unmounting goes on for ever, and what is held keeps its qid to itself', async () => {
  const fs = new ComposedFileSystem();
  const who = { uname: '', aname: '', nUname: 0 };
  const call = { signal: new AbortController().signal };
  const root = fs.attach(who, call) as ComposedNode;
  const member = new MemoryFileSystem({ tree: { file: '' } });
  const walk = (from: ComposedNode, name: string) => fs.walk(from, Name.from(name), call) as ComposedNode;
  fs.mount('m', member);
  const held = walk(walk(root, 'm'), 'file');
  await fs.unmount('m');
  for (let round = 0; round < 70_000; round++) {
    fs.mount('m', member);
    const top = walk(root, 'm');
    const file = walk(top, 'file');
    if (file.qid.path === held.qid.path)
      expect.fail(`in round ${round} the qid of a held file is used again`);
    for (const node of [top, file]) fs.release(node);
    await fs.unmount('m');
  }
  // All but what is held.
  expect(held.qid.path >> 48n).toBe(1n);
});
