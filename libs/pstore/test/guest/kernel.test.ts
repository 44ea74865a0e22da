import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelFiles } from '../../src/kernel-files.ts';
import { readRamoops } from '../../src/ramoops.ts';
import { type MadeRegion, madeRegions, randomRegion } from '../made-regions.ts';
import { ReadingKernel } from './reading-kernel.ts';
import { PATIENCE_MS, readable } from './shown-files.ts';

let kernel: ReadingKernel;

beforeAll(async () => {
  kernel = await ReadingKernel.boot();
}, PATIENCE_MS);
afterAll(() => kernel?.[Symbol.asyncDispose]());

/** Debian's kernel is built without ftrace for pstore. */
const isShown = (name: string) => name !== 'ftrace-ramoops-0';

async function compare({ name, layout, region }: MadeRegion): Promise<void> {
  const before = Buffer.from(region).toString('latin1');
  const ours = kernelFiles(readRamoops(region, layout)).filter((file) => isShown(file.name));
  expect(Buffer.from(region).toString('latin1') === before, 'the region is as it was').toBe(true);
  const theirs = await kernel.read(region, layout);
  expect(readable(ours), name).toEqual(readable(theirs));
}

describe('a running kernel and we show the same files, byte for byte', () => {
  it.each(madeRegions())('$name', async (made) => {
    await compare(made);
  });

  it('whatever is in the region, and whatever is wrong with it', { timeout: PATIENCE_MS }, async () => {
    for (let seed = 1; seed <= 12; seed++) await compare(randomRegion(seed));
  });
});
