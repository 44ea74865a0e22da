import { readFileSync } from 'node:fs';
import { builtKernel } from '@vm-tools/guest';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FtraceLog, kernelFiles, readRamoops, SymbolTable } from '../../src/index.ts';
import { eccNotice } from '../../src/kernel-files.ts';
import { mutate } from '../made-regions.ts';
import { Random } from '../random.ts';
import { PersistentRam } from './persistent-ram.ts';
import { damagedScene, scenes } from './scenes.ts';
import { PATIENCE_MS, readable, type ShownFile } from './shown-files.ts';

/** Damaged regions of each kind. */
const DAMAGED = 150;
let symbols: SymbolTable;

beforeAll(async () => {
  symbols = SymbolTable.parse(readFileSync((await builtKernel()).systemMap, 'utf8'));
}, 3_600_000);

/** As the kernel would show a region at its next boot, its mistake included. */
function asTheKernelShows(region: Uint8Array, commandLine: string): ShownFile[] {
  const ramoops = readRamoops(region, commandLine);
  return kernelFiles(ramoops, { symbols }).map(({ name, data }) => ({
    name,
    data: name.startsWith('ftrace') && ramoops.ftrace ? misread(ramoops.ftrace) : data,
    modified: 0,
  }));
}

/**
 * With parity, the kernel takes its line about that for a part of the entries when it works out where the first one begins
 * (pstore_ftrace_seq_start() in fs/pstore/inode.c): it shows the same bytes from the wrong one on.
 */
function misread(ftrace: FtraceLog): Uint8Array {
  const size = 24;
  const stored = Buffer.alloc(ftrace.length * size);
  for (const [index, { cpu, stamp, address, caller }] of [...ftrace].entries()) {
    stored.writeBigUInt64LE(address, index * size);
    stored.writeBigUInt64LE(caller, index * size + 8);
    stored.writeBigUInt64LE((stamp << 8n) | BigInt(cpu), index * size + 16);
  }
  const all = Buffer.concat([stored, Buffer.from(eccNotice(ftrace.correction))]);
  const shown: string[] = [];
  for (let at = all.length % size; at + size <= all.length; at += size) {
    const last = all.readBigUInt64LE(at + 16);
    const entry = { address: all.readBigUInt64LE(at), caller: all.readBigUInt64LE(at + 8) };
    shown.push(ftrace.format({ ...entry, cpu: Number(last & 0xffn), stamp: last >> 8n }, symbols));
  }
  return Buffer.from(shown.join(''));
}

describe('what a kernel left in persistent RAM, its next boot shows as we do', () => {
  it.each(scenes)('$name', { timeout: PATIENCE_MS }, async (scene) => {
    using ram = new PersistentRam(scene);
    for (const script of scene.boots) await ram.die(script);
    const { region, commandLine } = ram;
    const ours = asTheKernelShows(region, commandLine);
    expect(readable(ours)).toEqual(readable(await ram.nextBoot()));
    expect(ours.length).toBeGreaterThan(0);
  });
});

describe('and so it does when it has been damaged', () => {
  it.each([0, 1, 16, 32])('ecc=%i', { timeout: PATIENCE_MS }, async (ecc) => {
    const scene = damagedScene(ecc);
    using ram = new PersistentRam(scene);
    for (const script of scene.boots) await ram.die(script);
    const { region, commandLine } = ram;
    const seed = Date.now() % 2 ** 31;
    await using guest = await ram.boot();
    for (let number = 0; number < DAMAGED; number++) {
      const damaged = Uint8Array.from(region);
      mutate(damaged, scene.layout, new Random(seed + number));
      const ours = asTheKernelShows(damaged, commandLine);
      const theirs = await ram.readAgain(guest, damaged);
      expect(readable(ours), `seed ${seed + number}`).toEqual(readable(theirs));
    }
  });
});
