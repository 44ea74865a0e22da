import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryDump } from '../../test/arbitrary-dump.ts';
import { MinidumpError } from '../errors.ts';
import { concat, viewOf } from '../record.ts';
import { debugId } from './code-view.ts';
import type { DumpContents } from './contents.ts';
import { readMinidump } from './minidump.ts';
import { StreamType } from './records.ts';
import { writeMinidump } from './write-minidump.ts';
import { MAX_STRING } from './writer.ts';

const bytesOf = (contents: DumpContents) => concat(writeMinidump(contents));

test('whatever is written is read again', () => {
  fc.assert(
    fc.property(arbitraryDump, (contents) => {
      const dump = readMinidump(bytesOf(contents));
      for (const key of Object.keys(contents) as (keyof DumpContents)[]) {
        expect([key, dump[key]]).toEqual([key, contents[key]]);
      }
    }),
    { numRuns: 100, seed: 6 },
  );
});

test('pointers of 32 bits make a narrower DSO list', () => {
  const dsoDebug = {
    version: 1,
    brk: 0x1000n,
    ldbase: 0xf7000000n,
    dynamic: 0x804a000n,
    dynamicBytes: Uint8Array.of(1, 2, 3, 4),
    linkMaps: [{ address: 0n, name: '/bin/x', dynamic: 0x804a000n }],
  };
  const system = fc.sample(arbitraryDump, { numRuns: 1, seed: 1 })[0]!.system!;
  expect(readMinidump(bytesOf({ system: { ...system, processor: 0 }, dsoDebug })).dsoDebug).toEqual(dsoDebug);
});

test('bytes that are in a dump twice lie in it once', () => {
  const stack = { start: 0x1000n, bytes: new Uint8Array(100_000).fill(7) };
  const context = new Uint8Array(1232);
  const bytes = bytesOf({
    threads: [{ tid: 1, context, stack }],
    memory: [stack],
    exception: { tid: 1, code: 11, flags: 1, address: 0n, parameters: [], context },
  });
  expect(bytes.length).toBeLessThan(103_000);
});

test('of a long name the end is kept, which readers take', () => {
  const name = `/${'d'.repeat(2000)}/lib.so`;
  const modules = [{ base: 0n, size: 1, name, buildId: undefined }];
  expect(readMinidump(bytesOf({ modules })).modules[0]?.name).toBe(name.slice(-MAX_STRING));
});

test('a debug identifier is the build-id as a GUID, and an age of 0', () => {
  const buildId = Uint8Array.from({ length: 20 }, (_, index) => index + 1);
  expect(debugId(buildId)).toBe('0403020106050807090A0B0C0D0E0F100');
  expect(debugId(Uint8Array.of(0xab))).toBe('000000AB0000000000000000000000000');
});

describe('a dump that is not as it should be', () => {
  const full = fc.sample(arbitraryDump, { numRuns: 1, seed: 3 })[0]!;
  const good = bytesOf(full);

  test('is refused when it does not begin as one', () => {
    const at = (bytes: Uint8Array) => expect(() => readMinidump(bytes));
    at(new Uint8Array(0)).toThrow(expect.objectContaining({ code: 'ERR_MINIDUMP_BOUNDS', offset: 0 }));
    at(new Uint8Array(32)).toThrow(expect.objectContaining({ code: 'ERR_MINIDUMP_SIGNATURE' }));
    const many = good.slice();
    viewOf(many).setUint32(8, 5000, true);
    at(many).toThrow(expect.objectContaining({ code: 'ERR_MINIDUMP_COUNT' }));
  });

  test('spoils no stream but the one it concerns', () => {
    const bad = good.slice();
    const stream = readMinidump(good).stream('moduleList')!;
    viewOf(bad).setUint32(stream.rva, 0xffffffff, true);
    const dump = readMinidump(bad);
    expect(() => dump.modules).toThrow(MinidumpError);
    expect(dump.threads).toEqual(full.threads);
  });

  test('does not make much of a little: a long string that is named again and again', () => {
    const name = 'x'.repeat(1000);
    const modules = Array.from({ length: 40_000 }, () => ({
      base: 0n,
      size: 1,
      name: '',
      buildId: undefined,
    }));
    const bytes = bytesOf({ modules, threadNames: new Map([[1, name]]) });
    const dump = readMinidump(bytes);
    const { rva } = dump.stream('moduleList')!;
    const long = viewOf(bytes).getUint32(dump.stream('threadNames')!.rva + 8, true);
    for (let index = 0; index < modules.length; index++)
      viewOf(bytes).setUint32(rva + 4 + index * 108 + 20, long, true);
    expect(() => readMinidump(bytes).modules).toThrow(
      expect.objectContaining({ code: 'ERR_MINIDUMP_COUNT' }),
    );
  });

  test('is read or refused, wherever it ends', () => {
    for (let size = 0; size < good.length; size++) {
      let dump: ReturnType<typeof readMinidump>;
      try {
        dump = readMinidump(good.subarray(0, size));
      } catch (error) {
        expect(error).toBeInstanceOf(MinidumpError);
        continue;
      }
      for (const key of Object.keys(full) as (keyof DumpContents)[]) {
        try {
          expect(dump[key]).toBeDefined();
        } catch (error) {
          expect(error).toBeInstanceOf(MinidumpError);
        }
      }
    }
  });
});

test('both lists of memory are read', () => {
  const list = new Uint8Array(16 + 32);
  const bytes = concat([
    bytesOf({ memory: [{ start: 0x10n, bytes: Uint8Array.of(1, 2) }] }),
    list,
    Uint8Array.of(5, 6, 7),
  ]);
  const rva = bytes.length - list.length - 3;
  const view = viewOf(bytes);
  view.setBigUint64(rva, 2n, true);
  view.setBigUint64(rva + 8, BigInt(bytes.length - 3), true);
  for (const [index, [start, size]] of [
    [0x100n, 1n],
    [0x200n, 2n],
  ].entries()) {
    view.setBigUint64(rva + 16 + 16 * index, start!, true);
    view.setBigUint64(rva + 24 + 16 * index, size!, true);
  }
  view.setUint32(8, 2, true);
  view.setUint32(32 + 12, StreamType.memory64List, true);
  view.setUint32(32 + 16, 48, true);
  view.setUint32(32 + 20, rva, true);
  const dump = readMinidump(bytes);
  expect(dump.memory.map(({ start }) => start)).toEqual([0x10n, 0x100n, 0x200n]);
  expect([...dump.readMemory(0x201n, 10)]).toEqual([7]);
  expect([...dump.readMemory(0x12n, 1)]).toEqual([]);
});
