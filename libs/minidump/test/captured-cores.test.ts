import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { convertCore } from '../src/host/index.ts';
import { type Minidump, readCore, readMinidump } from '../src/index.ts';
import { mutate, mutation, tryCore } from './fuzz.ts';

const coreOf = (cpu: string) =>
  new Uint8Array(gunzipSync(readFileSync(new URL(`./data/${cpu}.core.gz`, import.meta.url))));

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1 << 16) yield bytes.subarray(at, at + (1 << 16));
}

async function dumpOf(core: Uint8Array, flowing: boolean): Promise<Minidump> {
  const chunks: Uint8Array[] = [];
  await convertCore(flowing ? inChunks(core) : core, (chunk) => chunks.push(chunk), { proc: {}, time: 1 });
  return readMinidump(Buffer.concat(chunks));
}

/** Where the thread that crashed was, and what it would have returned to: see data/README.md. */
const cores = {
  x86_64: {
    ip: 'rip',
    threads: 4,
    address: 0x18n,
    modules: ['/tmp/crash/crash-x86_64', '/usr/lib/x86_64-linux-gnu/libc.so.6', 'linux-gate.so'],
    frames: [
      0x55e654e03345n,
      0x55e654e03390n,
      0x55e654e03364n,
      0x55e654e0337dn,
      0x55e654e03758n,
      0x55e654e03dabn,
    ],
  },
  i386: {
    ip: 'eip',
    threads: 1,
    address: 0x18n,
    modules: ['/tmp/crash/crash-i386', 'linux-gate.so'],
    frames: [0x8049745n, 0x8049797n, 0x8049764n, 0x804977bn, 0x8049f65n],
  },
  aarch64: {
    ip: 'pc',
    threads: 1,
    address: 0n,
    modules: [],
    frames: [0x55000010e0n, 0x5500001144n, 0x5500001110n, 0x5500001128n, 0x55000018f8n],
  },
  arm: {
    ip: 'pc',
    threads: 1,
    address: 0n,
    modules: [],
    frames: [0x40000af6n, 0x40000b41n, 0x40000b19n, 0x40000b2bn, 0x40001107n],
  },
} as const;

function words(bytes: Uint8Array, width: number): Set<bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return new Set(
    Array.from({ length: Math.floor(bytes.length / width) }, (_, index) =>
      width === 8 ? view.getBigUint64(index * 8, true) : BigInt(view.getUint32(index * 4, true)),
    ),
  );
}

describe.each(Object.entries(cores))('a real core of %s', (cpu, expected) => {
  const core = coreOf(cpu);

  test.each([false, true])(
    'becomes a dump with all that gdb returns to (as a stream: %s)',
    async (flowing) => {
      const dump = await dumpOf(core, flowing);
      expect(dump.cpu).toBe(cpu);
      expect(dump.threads).toHaveLength(expected.threads);
      expect(dump.exception).toMatchObject({
        tid: dump.threads[0]!.tid,
        code: 11,
        address: expected.address,
      });
      const [ip, ...returns] = expected.frames;
      expect(dump.registers(dump.exception!.context)?.get(expected.ip)).toBe(ip);
      const width = cpu === 'i386' || cpu === 'arm' ? 4 : 8;
      const stack = words(dump.threads[0]!.stack!.bytes, width);
      // ARM and AArch64 have the first one in a register.
      const inRegisters = new Set(dump.registers(dump.exception!.context)!.values());
      expect(returns.filter((address) => !stack.has(address) && !inRegisters.has(address))).toEqual([]);
      const names = dump.modules.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining([...expected.modules]));
    },
  );

  test('is the same dump as a stream and as a file', async () => {
    const [file, stream] = [await dumpOf(core, false), await dumpOf(core, true)];
    for (const part of ['threads', 'modules', 'memory', 'exception', 'dsoDebug', 'memoryInfo'] as const) {
      expect(stream[part]).toEqual(file[part]);
    }
  });

  test('can be read by itself', () => {
    const { threads, process, auxv, softErrors } = readCore(core);
    expect(threads[0]?.ip).toBe(expected.frames[0]);
    expect(process?.pid).toBeGreaterThan(0);
    expect(auxv.get(6n)).toBe(4096n);
    expect(softErrors).toEqual([]);
  });

  test('is converted or refused, cut off and changed anywhere', async () => {
    let converted = 0;
    await fc.assert(
      fc.asyncProperty(mutation, fc.boolean(), async (changes, flowing) => {
        if (await tryCore(mutate(core, changes), flowing)) converted++;
      }),
      { numRuns: 60, seed: 9 },
    );
    expect(converted).toBeGreaterThan(20);
  });
});
