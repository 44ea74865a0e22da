import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest } from '@vm-tools/guest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readRegionFile } from '../../src/host/index.ts';
import { kernelFiles, readRamoops } from '../../src/index.ts';
import { ReadingKernel } from './reading-kernel.ts';
import { PATIENCE_MS, readable } from './shown-files.ts';

const SIZES =
  'mem_address=0x8000000 mem_size=0x40000 record_size=0x8000 console_size=0x8000 pmsg_size=0x4000 ftrace_size=0 ecc=1';
const CMDLINE = SIZES.replaceAll(/(\S+=)/g, 'ramoops.$1');
const LAYOUT = { recordSize: 0x8000, consoleSize: 0x8000, pmsgSize: 0x4000, ftraceSize: 0, ecc: 1 };
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-panic-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('a kernel panics and is gone; the host reads its last words, and the next kernel the same', {
  timeout: 2 * PATIENCE_MS,
}, async () => {
  const memory = join(folder, 'memory');
  {
    await using guest = await bootGuest({
      modules: [`ramoops ${SIZES}`],
      memory: 256,
      timeoutMs: PATIENCE_MS,
      cmdline: 'memmap=4M$0x8000000',
      vm: { sharedMemory: memory },
    });
    await guest.sh('echo 1 > /proc/sys/kernel/sysrq; echo the last words of user space > /dev/kmsg', {
      timeoutMs: PATIENCE_MS,
    });
    // It panics before the shell can be told that it wrote; panic=-1 ends the machine.
    void guest.sh('echo c > /proc/sysrq-trigger').catch(() => {});
    await guest.exited;
  }
  const { bytes, layout, offset } = readRegionFile(memory, { layout: CMDLINE });
  expect(offset).toBe(0x8000000);
  const ramoops = readRamoops(bytes, layout);
  const last = ramoops.boots[0]?.records.at(-1);
  expect(last).toMatchObject({ reason: 'Panic', part: 1, compression: 'deflate' });
  const log = Buffer.from(last?.log ?? []).toString();
  expect(log).toContain('the last words of user space');
  expect(log).toContain('Kernel panic - not syncing: sysrq triggered crash');
  expect(ramoops.problems).toEqual([]);

  await using kernel = await ReadingKernel.boot();
  const theirs = await kernel.read(Uint8Array.from(bytes), { ...LAYOUT });
  expect(readable(kernelFiles(ramoops))).toEqual(readable(theirs));
});
