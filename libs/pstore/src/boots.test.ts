import { describe, expect, it } from 'vitest';
import { readRamoops } from './ramoops.ts';
import { RamoopsWriter } from './synth/ramoops-writer.ts';

const layout = { memSize: 0x10000, recordSize: 0x2000, consoleSize: 0, ftraceSize: 0, pmsgSize: 0, ecc: 0 };
/** A dump that was made so many seconds after its boot. */
const dump = (boot: number, after: number, reason = 'Oops') => ({
  reason,
  seconds: boot + after,
  log: `<4>[    0.000000] Linux\n<4>[${String(after).padStart(5)}.500000] the end\n`,
});
const told = (region: Uint8Array) =>
  readRamoops(region, layout).boots.map(({ records }) =>
    records.map(({ index, reason, count }) => `${index}:${reason}#${count}`),
  );

describe('dumps of several boots', () => {
  it('of the first zones are of the last boot, and what it did not get to is older', () => {
    const writer = new RamoopsWriter(layout);
    for (const after of [10, 20, 30]) writer.dump(dump(1_000_000, after));
    const next = new RamoopsWriter(layout, { region: writer.region });
    next.dump(dump(2_000_000, 7, 'Panic'));
    expect(told(writer.region)).toEqual([['0:Panic#1'], ['1:Oops#2', '2:Oops#3']]);
  });

  it('are told apart without times where their numbers break off', () => {
    const writer = new RamoopsWriter(layout);
    for (let count = 3; count <= 10; count++) writer.dump({ log: 'a\n', count });
    const next = new RamoopsWriter(layout, { region: writer.region });
    next.dump({ log: 'b\n' });
    next.dump({ log: 'c\n' });
    expect(told(writer.region)).toEqual([
      ['0:Panic#1', '1:Panic#2'],
      ['2:Panic#5', '3:Panic#6', '4:Panic#7', '5:Panic#8', '6:Panic#9', '7:Panic#10'],
    ]);
  });

  it('of one boot are in the order in which they were made, also when it went round', () => {
    const writer = new RamoopsWriter(layout);
    for (let after = 1; after <= 10; after++) writer.dump(dump(1_000_000, after));
    expect(told(writer.region)).toEqual([
      ['2:Oops#3', '3:Oops#4', '4:Oops#5', '5:Oops#6', '6:Oops#7', '7:Oops#8', '0:Oops#9', '1:Oops#10'],
    ]);
  });

  it('tell when their boot began', () => {
    const writer = new RamoopsWriter(layout);
    writer.dump(dump(1_000_000, 10));
    expect(readRamoops(writer.region, layout).boots[0]?.startTime).toBeCloseTo(999_999.5, 3);
  });
});
