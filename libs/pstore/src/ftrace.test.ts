import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FtraceEntry, FtraceFormat } from './ftrace.ts';
import { kernelFiles } from './kernel-files.ts';
import { readRamoops } from './ramoops.ts';
import { SymbolTable } from './symbols.ts';
import { buildRamoops } from './synth/build-ramoops.ts';

const layout = {
  memSize: 0x5000,
  recordSize: 0,
  consoleSize: 0x1000,
  ftraceSize: 0x4000,
  pmsgSize: 0,
  ecc: 0,
};
const entry = (stamp: number, cpu = 0): FtraceEntry => ({
  cpu,
  stamp: BigInt(stamp),
  address: 0xffffffff81000010n + BigInt(stamp) * 16n,
  caller: 0xffffffff81100000n,
});

describe('functions that were called', () => {
  it('are those of all CPUs, by their stamps', () => {
    const trace = Array.from({ length: 40 }, (_, stamp) => entry(stamp, (stamp * 7) % 4));
    const four = { ...layout, ftraceZones: 4 };
    const { ftrace, zones, layout: found } = readRamoops(buildRamoops({ layout: four, trace }), layout);
    expect(found.ftraceZones).toBe(4);
    expect([...(ftrace ?? [])]).toEqual(trace);
    expect(zones.filter(({ kind }) => kind === 'ftrace').map(({ kernelVersion }) => kernelVersion)).toEqual(
      Array.from({ length: 4 }, () => '6.1.0'),
    );
  });

  it('are the newest when the ring has wrapped within an entry', () => {
    const trace = Array.from({ length: 2000 }, (_, stamp) => entry(stamp));
    const { ftrace } = readRamoops(buildRamoops({ layout, trace }), layout);
    expect(ftrace?.zones[0]?.isFull).toBe(true);
    // 16384 bytes less the header are 682 entries and a rest.
    expect([...(ftrace ?? [])]).toEqual(trace.slice(-682));
  });

  it('are as they were written where the kernel would misread them for its own line about errors', () => {
    const trace = [entry(1), entry(2)];
    const parity = { ...layout, ecc: 16 };
    const { ftrace } = readRamoops(buildRamoops({ layout: parity, trace }), parity);
    expect([...(ftrace ?? [])]).toEqual(trace);
    expect(ftrace?.correction).toEqual({ correctedBytes: 0, badBlocks: 0 });
  });

  it.each<FtraceFormat>([
    { wordSize: 8, cpuIn: 'stamp' },
    { wordSize: 4, cpuIn: 'stamp' },
    { wordSize: 4, cpuIn: 'address-3' },
    { wordSize: 8, cpuIn: 'stamp', byteOrder: 'big' },
  ])('%j is a format of entries', (ftrace) => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            cpu: fc.nat(1),
            stamp: fc.bigInt(0n, 1n << 50n),
            address: fc.bigInt(0n, (1n << 30n) - 1n),
          }),
        ),
        (rows) => {
          const mask = ftrace.cpuIn === 'stamp' ? 0n : 3n;
          const trace = rows.map(({ cpu, stamp, address }) => ({
            cpu,
            stamp,
            address: (address * 4n) | (BigInt(cpu) & mask),
            caller: address,
          }));
          const region = buildRamoops({ layout, trace, ftrace });
          expect([...(readRamoops(region, layout, { ftrace }).ftrace ?? [])]).toEqual(trace);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are told as the kernel tells them, with names and without', () => {
    const ramoops = readRamoops(
      buildRamoops({ layout, trace: [{ ...entry(3, 2), caller: 0x1234n }] }),
      layout,
    );
    const [file] = kernelFiles(ramoops);
    expect([file?.name, Buffer.from(file?.data ?? []).toString()]).toEqual([
      'ftrace-ramoops-0',
      'CPU:2 ts:3 ffffffff81000040  00001234  0xffffffff81000040 <- 0x1234\n',
    ]);
    const symbols = SymbolTable.parse(
      '0000000000001000 T start\n0000000000001400 T next\nffffffff81000040 T do_it\n',
    );
    expect(Buffer.from(kernelFiles(ramoops, { symbols })[0]?.data ?? []).toString()).toBe(
      'CPU:2 ts:3 ffffffff81000040  00001234  do_it <- start+0x234/0x400\n',
    );
  });

  it('there is no entry beyond the last', () => {
    const { ftrace } = readRamoops(buildRamoops({ layout, trace: [entry(1)] }), layout);
    expect(() => ftrace?.at(1)).toThrow('there is no entry 1 among 1');
    expect(() => ftrace?.at(-1)).toThrow(RangeError);
  });
});
