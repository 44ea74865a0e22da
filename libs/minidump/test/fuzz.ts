import fc from 'fast-check';
import { convertCore } from '../src/host/index.ts';
import { type DumpContents, type Minidump, readCore, readMinidump, writeMinidump } from '../src/index.ts';
import { concat } from '../src/record.ts';
import { synthesizeCore } from '../src/synth/index.ts';
import { arbitraryDump } from './arbitrary-dump.ts';
import { process as made } from './program.ts';

// Bytes of real shape with some of them changed: they are converted and read, or refused with an error of this package.

/** Even; doubles of fast-check are mostly next to nothing. */
const fraction = fc.nat({ max: 9999 }).map((part) => part / 10_000);

/** A change of some bytes: at a place (a fraction of the size), to a value of so many bytes. */
const change = fc.record({
  place: fraction,
  /** Most of what is read is near the start. */
  near: fc.boolean(),
  width: fc.constantFrom(1, 2, 4, 8),
  value: fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(
      0n,
      1n,
      0xffn,
      0xffffn,
      0x7fffffffn,
      0xffffffffn,
      2n ** 63n,
      2n ** 64n - 1n,
      4096n,
      0x402000n,
    ),
  ),
});

export const mutation = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 6 }),
  /** What is cut off, as a fraction. */
  cut: fc.oneof(fc.constant(0), fraction),
});

export function mutate(
  bytes: Uint8Array,
  {
    changes,
    cut,
  }: { changes: { place: number; near: boolean; width: number; value: bigint }[]; cut: number },
): Uint8Array {
  const mutated = bytes.slice();
  const view = new DataView(mutated.buffer);
  for (const { place, near, width, value } of changes) {
    const at = Math.floor(place * ((near ? Math.min(2500, mutated.length) : mutated.length) - 8));
    for (let index = 0; index < width; index++) {
      view.setUint8(at + index, Number((value >> BigInt(8 * index)) & 0xffn));
    }
  }
  return mutated.subarray(0, Math.ceil((1 - cut) * mutated.length));
}

const layouts = [
  made(),
  made({ layout: 'gcore' }),
  made({ extended: true }),
  made({ cpu: 'aarch64' }),
  made({ cpu: 'i386', files: [] }),
].map(synthesizeCore);

export const mutatedCore = fc
  .record({ layout: fc.nat({ max: layouts.length - 1 }), mutation })
  .map(({ layout, mutation }) => mutate(layouts[layout]!, mutation));

export const mutatedDump = fc
  .record({ contents: arbitraryDump, mutation })
  .map(({ contents, mutation }) => mutate(concat(writeMinidump(contents)), mutation));

const streams = [
  'system',
  'threads',
  'threadNames',
  'modules',
  'memory',
  'exception',
  'memoryInfo',
  'handles',
  'misc',
  'linux',
  'dsoDebug',
  'crashpad',
  'softErrors',
] as const satisfies (keyof DumpContents)[];

/** Reads all of a dump. @returns how many of its parts could be read */
export function readAll(dump: Minidump): number {
  let read = 0;
  for (const stream of streams) {
    try {
      void dump[stream];
      read++;
    } catch (error) {
      if (!isOwn(error, 'MinidumpError')) throw error;
    }
  }
  return read;
}

/** @returns whether there was something to read */
export function tryDump(bytes: Uint8Array): boolean {
  try {
    return readAll(readMinidump(bytes)) > 0;
  } catch (error) {
    if (isOwn(error, 'MinidumpError')) return false;
    throw error;
  }
}

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5000) yield bytes.subarray(at, at + 5000);
}

/** Converts and reads a core, as bytes or as a stream. @returns whether it became a dump, which must then be whole */
export async function tryCore(bytes: Uint8Array, flowing: boolean): Promise<boolean> {
  const chunks: Uint8Array[] = [];
  try {
    const options = { proc: {}, keep: 100_000, budget: 100_000, sanitize: flowing };
    await convertCore(flowing ? inChunks(bytes) : bytes, (chunk) => chunks.push(chunk), options);
  } catch (error) {
    if (isOwn(error, 'CoreError')) return false;
    throw error;
  }
  const parts = readAll(readMinidump(concat(chunks)));
  if (parts !== streams.length)
    throw new Error(`a dump of which ${parts} of ${streams.length} parts can be read`);
  if (!flowing) readCore(bytes).modules();
  return true;
}

function isOwn(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

/** @returns how many of so many mutated cores and dumps could be made something of */
export async function fuzz(runs: number, seed: number): Promise<{ cores: number; dumps: number }> {
  let [cores, dumps] = [0, 0];
  await fc.assert(
    fc.asyncProperty(mutatedCore, fc.boolean(), async (bytes, flowing) => {
      if (await tryCore(bytes, flowing)) cores++;
    }),
    { numRuns: runs, seed },
  );
  fc.assert(
    fc.property(mutatedDump, (bytes) => {
      if (tryDump(bytes)) dumps++;
    }),
    { numRuns: runs, seed },
  );
  return { cores, dumps };
}
