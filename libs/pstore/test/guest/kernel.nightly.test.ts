import { expect, it } from 'vitest';
import { kernelFiles } from '../../src/kernel-files.ts';
import { readRamoops } from '../../src/ramoops.ts';
import { randomRegion } from '../made-regions.ts';
import { ReadingKernel } from './reading-kernel.ts';
import { readable } from './shown-files.ts';

const REGIONS = 3000;

it('thousands of regions, whatever is wrong with them: a kernel shows what we show', {
  timeout: 3_600_000,
}, async () => {
  const first = Date.now() % 2 ** 31;
  await using kernel = await ReadingKernel.boot();
  for (let seed = first; seed < first + REGIONS; seed++) {
    const { name, layout, region } = randomRegion(seed);
    const ours = kernelFiles(readRamoops(region, layout)).filter((file) => !file.name.startsWith('ftrace'));
    const theirs = await kernel.read(region, layout);
    expect(readable(ours), name).toEqual(readable(theirs));
  }
});
