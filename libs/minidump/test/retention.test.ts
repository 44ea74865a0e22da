import { expect, test } from 'vitest';
import { type ConvertCoreOptions, convertCore } from '../src/host/index.ts';
import { type Minidump, readMinidump } from '../src/index.ts';
import { synthesizeCore } from '../src/synth/index.ts';
import { process } from './program.ts';

// The dynamic linker's list lies in the heap, and is known of when that has flowed past.

const core = process();
const names = ['', '/lib/libone.so'];

async function flowing(options: ConvertCoreOptions): Promise<Minidump> {
  const chunks: Uint8Array[] = [];
  async function* stream() {
    const bytes = synthesizeCore(core);
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
  }
  await convertCore(stream(), (chunk) => chunks.push(chunk), { proc: {}, ...options });
  return readMinidump(Buffer.concat(chunks));
}

/** What /proc/PID/mem has while the kernel holds the process. */
function readMemory(address: bigint, size: number): Uint8Array {
  const segment = core.segments?.find(
    ({ start, bytes }) => start <= address && address < start + BigInt(bytes.length),
  );
  const at = Number(address - (segment?.start ?? 0n));
  return segment?.bytes.subarray(at, at + size) ?? new Uint8Array(0);
}

test('what is kept of a stream has the list of the dynamic linker', async () => {
  const { dsoDebug, softErrors } = await flowing({});
  expect(dsoDebug?.linkMaps.map(({ name }) => name)).toEqual(names);
  expect(softErrors).toEqual([]);
});

test('when nothing may be kept, the memory of the process has it', async () => {
  const { dsoDebug, softErrors } = await flowing({ keep: 0, proc: { readMemory } });
  expect(dsoDebug?.linkMaps.map(({ name }) => name)).toEqual(names);
  expect(softErrors).toEqual([]);
});

test('when that is gone, too, the dump says so', async () => {
  const { dsoDebug, softErrors, threads } = await flowing({ keep: 0 });
  expect(dsoDebug?.linkMaps ?? []).toEqual([]);
  expect(softErrors.map(({ code }) => code)).toContain('LINK_MAPS');
  expect(threads.every(({ stack }) => stack)).toBe(true);
});
