import { inspect } from 'node:util';
import { compressions } from '../src/compression/decompress.ts';
import { detectLayout } from '../src/detect-layout.ts';
import { kernelFiles } from '../src/kernel-files.ts';
import { PstoreError } from '../src/pstore-error.ts';
import { readRamoops } from '../src/ramoops.ts';
import { compress } from '../src/synth/compress.ts';
import { RamoopsWriter } from '../src/synth/ramoops-writer.ts';
import { type MadeRegion, madeRegions, mutate } from './made-regions.ts';
import { Random } from './random.ts';

const SMALL = { memSize: 0x4000, recordSize: 0x800, consoleSize: 0x800, ftraceSize: 0x400, pmsgSize: 0x400 };

/** Small ones, so that there is time for many, of every compressor, with ftrace, with parity. */
function seeds(): MadeRegion[] {
  const dice = new Random(11);
  const regions = compressions.map((compression, index) => {
    const layout = { ...SMALL, ecc: index % 2 === 0 ? 0 : 16 };
    const writer = new RamoopsWriter(layout);
    writer.dump({ log: dice.log(900), compression, seconds: 1_795_400_000 });
    writer.dump({ log: dice.log(300), compression: 'none' });
    writer.console(dice.log(3000));
    writer.pmsg(dice.bytes(300));
    for (let stamp = 0; stamp < 60; stamp++) {
      writer.trace({
        cpu: 0,
        stamp: BigInt(stamp),
        address: 0xffffffff81000000n,
        caller: 0xffffffff81000100n,
      });
    }
    return { name: compression, layout, region: writer.region };
  });
  return [
    ...regions,
    ...madeRegions()
      .filter(({ region }) => region.length <= 0x20000)
      .slice(0, 6),
  ];
}

/**
 * Reads mutated regions, so many of them, and holds what comes against what must be.
 *
 * @throws {Error} with the seed that does it again
 */
export function fuzz({ runs, seed }: { runs: number; seed: number }): { read: number; refused: number } {
  const regions = seeds();
  const told = { read: 0, refused: 0 };
  for (let run = 0; run < runs; run++) {
    const dice = new Random(seed + run);
    const { region, layout } = regions[
      run % 40 === 0 ? dice.below(regions.length) : dice.below(compressions.length)
    ] as MadeRegion;
    const bytes = Uint8Array.from(region);
    mutate(bytes, layout, dice);
    if (dice.below(8) === 0) crossOver(bytes, dice);
    try {
      readOne(bytes, layout, dice);
      told.read++;
    } catch (error) {
      if (error instanceof PstoreError && Number.isInteger(error.offset ?? 0)) told.refused++;
      else throw new Error(`seed ${seed + run}: ${inspect(error)}`, { cause: error });
    }
  }
  return told;
}

/** A compressed stream where it does not belong. */
function crossOver(bytes: Uint8Array, dice: Random): void {
  const stream = compress(dice.pick(compressions), dice.bytes(dice.below(300)));
  const header = Buffer.from('====1.2-C\n');
  const stored = Buffer.concat([header, stream]);
  bytes.set(stored, 12);
  new DataView(bytes.buffer).setUint32(4, stored.length, true);
  new DataView(bytes.buffer).setUint32(8, stored.length, true);
}

function readOne(bytes: Uint8Array, layout: MadeRegion['layout'], dice: Random): void {
  const given =
    dice.below(30) === 0
      ? detectLayout(dice.below(4) === 0 ? bytes.subarray(dice.below(bytes.length)) : bytes).layout
      : layout;
  const size = given.memSize ?? bytes.length;
  const wanted = dice.below(50) === 0 ? bytes.subarray(0, dice.below(bytes.length)) : bytes;
  const read = readRamoops(
    wanted,
    given,
    dice.below(4) === 0 ? { compression: dice.pick(compressions) } : {},
  );
  for (const { offset, message } of read.problems) {
    if (!(offset >= 0 && offset < size && message.length > 0))
      throw new Error(`a problem at ${offset} of ${size}: ${message}`);
  }
  for (const zone of read.zones) {
    if (zone.data.length > zone.capacity)
      throw new Error(`${zone.data.length} bytes of ${zone.capacity} in ${zone.kind}`);
  }
  for (const { data, zone } of read.dmesg) {
    if (data.length > 3 * zone.capacity + 200)
      throw new Error(`a dump of ${data.length} bytes in ${zone.capacity}`);
  }
  kernelFiles(read);
}
