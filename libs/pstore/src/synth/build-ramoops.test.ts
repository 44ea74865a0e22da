import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compressions } from '../compression/decompress.ts';
import { parityBytes, placeZones, type RamoopsLayout, type ZoneKind, zoneSpace } from '../layout.ts';
import { readRamoops } from '../ramoops.ts';
import { buildRamoops } from './build-ramoops.ts';
import { RamoopsWriter } from './ramoops-writer.ts';

const arbitraryLayout: fc.Arbitrary<RamoopsLayout & { memSize: number }> = fc
  .record({
    record: fc.integer({ min: 11, max: 14 }),
    console: fc.integer({ min: 10, max: 13 }),
    ftrace: fc.integer({ min: 10, max: 12 }),
    pmsg: fc.integer({ min: 10, max: 12 }),
    rest: fc.integer({ min: 0x4000, max: 0x12000 }),
    ecc: fc.constantFrom(0, 0, 1, 2, 16, 31),
    ftraceZones: fc.integer({ min: 1, max: 4 }),
    byteOrder: fc.constantFrom('little' as const, 'little' as const, 'big' as const),
  })
  .map(({ record, console, ftrace, pmsg, rest, ...more }) => {
    const sizes = {
      recordSize: 2 ** record,
      consoleSize: 2 ** console,
      ftraceSize: 2 ** ftrace,
      pmsgSize: 2 ** pmsg,
    };
    return {
      ...sizes,
      ...more,
      alignment: 2,
      memSize: rest + sizes.consoleSize + sizes.ftraceSize + sizes.pmsgSize,
    };
  });

const arbitraryBytes = fc.uint8Array({ maxLength: 12_000 });
const arbitraryDump = fc.record({
  reason: fc.constantFrom('Panic', 'Oops', 'Emergency', 'Shutdown', 'Unknown'),
  seconds: fc.bigInt(0n, 1n << 40n),
  microseconds: fc.nat(999_999),
  log: fc.uint8Array({ maxLength: 900 }),
  compression: fc.constantFrom(...compressions, 'none' as const),
});
const arbitraryEntry = fc.record({
  cpu: fc.nat(3),
  address: fc.bigInt(0n, (1n << 64n) - 1n),
  caller: fc.bigInt(0n, (1n << 64n) - 1n),
});

/** What is left of what was written. */
function kept(
  bytes: Uint8Array,
  layout: RamoopsLayout & { memSize: number },
  kind: ZoneKind,
): Uint8Array | undefined {
  const place = placeZones(layout, layout.memSize).find((each) => each.kind === kind);
  const capacity = zoneSpace(place?.size ?? 0, layout.ecc)?.capacity ?? 0;
  return bytes.length === 0 ? undefined : bytes.subarray(Math.max(0, bytes.length - capacity));
}

describe('what is written', () => {
  it('is read again', () => {
    fc.assert(
      fc.property(
        arbitraryLayout,
        fc.array(arbitraryDump, { maxLength: 4 }),
        arbitraryBytes,
        arbitraryBytes,
        fc.array(arbitraryEntry, { maxLength: 100 }),
        (layout, dumps, console, pmsg, calls) => {
          const trace = calls.map((call, stamp) => ({
            ...call,
            cpu: call.cpu % layout.ftraceZones!,
            stamp: BigInt(stamp),
          }));
          const zones = placeZones(layout, layout.memSize).filter(({ kind }) => kind === 'dmesg').length;
          const read = readRamoops(buildRamoops({ layout, dumps, console, pmsg, trace }), layout);
          expect(read.problems.filter(({ code }) => code !== 'misread-by-kernel')).toEqual([]);
          expect(read.console?.data).toEqual(kept(console, layout, 'console'));
          expect(read.pmsg?.data).toEqual(kept(pmsg, layout, 'pmsg'));
          const expected = dumps
            .map((dump, index) => ({ ...dump, count: index + 1, index: index % zones }))
            .slice(-zones);
          expect(
            [...read.dmesg]
              .sort((a, b) => (a.count as number) - (b.count as number))
              .map(({ reason, count, index, time, log, compression }) => ({
                reason,
                count,
                index,
                seconds: time?.seconds ?? 0n,
                microseconds: time ? time.nanoseconds / 1000 : 0,
                log: Buffer.from(log).toString('hex'),
                compression,
              })),
          ).toEqual(
            expected.map((dump) => ({
              ...dump,
              microseconds: dump.seconds === 0n ? 0 : dump.microseconds,
              log: Buffer.from(dump.log).toString('hex'),
            })),
          );
          const stamps = trace.length < 20 ? trace : [];
          if (stamps.length > 0) expect([...(read.ftrace ?? [])]).toEqual(stamps);
        },
      ),
      { numRuns: 80 },
    );
  });

  it('is read again with as many wrong bytes in each block as parity puts right', () => {
    const layout = {
      memSize: 0x8000,
      recordSize: 0,
      consoleSize: 0x8000,
      ftraceSize: 0,
      pmsgSize: 0,
      ecc: 16,
    };
    const region = buildRamoops({ layout, console: 'line of the console\n'.repeat(1000) });
    const clean = readRamoops(region, layout).console?.data;
    const wrong = Uint8Array.from(region);
    for (let block = 0; block < 100; block++) {
      for (let error = 0; error < parityBytes(16) / 2; error++) wrong[12 + block * 128 + error * 11] = 0xee;
    }
    const { console } = readRamoops(wrong, layout);
    expect(console?.data).toEqual(clean);
    expect(console?.correction).toEqual({ correctedBytes: 800, badBlocks: 0 });
  });
});

describe('what cannot be written', () => {
  const layout = { memSize: 0x1000, recordSize: 0x1000, consoleSize: 0, ftraceSize: 0, pmsgSize: 0, ecc: 0 };

  it('is refused', () => {
    const writer = new RamoopsWriter(layout);
    const noSize = { ...layout, memSize: undefined };
    expect(() => writer.console('x')).toThrow(
      expect.objectContaining({ code: 'ERR_RECORD', message: 'the layout has no console zone 0' }),
    );
    expect(() => writer.pmsg('x')).toThrow('the layout has no pmsg zone 0');
    expect(() => buildRamoops({ layout: noSize as never })).toThrow('give memSize, or a region');
    const consoleAlone = { ...layout, recordSize: 0, consoleSize: 0x1000 };
    expect(() => buildRamoops({ layout: consoleAlone, dumps: [{ log: 'x' }] })).toThrow(
      'the layout has no zones for dumps',
    );
  });
});
