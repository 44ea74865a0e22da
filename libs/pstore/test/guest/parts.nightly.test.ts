import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, type Guest, type GuestOptions } from '@vm-tools/guest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPstoreFs } from '../../src/host/index.ts';
import { PATIENCE_MS, shownFiles } from './shown-files.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-parts-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Machines that keep records elsewhere than in RAM, where a log has no room in one piece. */
const machines: Readonly<Record<string, () => Partial<GuestOptions>>> = {
  efi: () => ({ efiVariables: join(folder, 'variables') }),
  erst: () => {
    const memory = `memory-backend-file,id=erst,size=0x40000,share=on,mem-path=${join(folder, 'erst')}`;
    return { vm: { extraArgs: ['-object', memory, '-device', 'acpi-erst,memdev=erst'] } };
  },
};

const LINES = 150;
const numbersIn = (log: Uint8Array) =>
  [
    ...Buffer.from(log)
      .toString()
      .matchAll(/line (\d+): something has happened$/gm),
  ].map(([, n]) => Number(n));
const timesIn = (log: Uint8Array) =>
  [
    ...Buffer.from(log)
      .toString()
      .matchAll(/^<\d+>\[ *(\d+\.\d{6})\] /gm),
  ].map(([, time]) => Number(time));

describe.each(Object.keys(machines))('a dump that a kernel has left with %s', (backend) => {
  const boot = async (): Promise<Guest> => {
    const guest = await bootGuest({
      kernel: 'built',
      machine: 'q35',
      memory: 256,
      timeoutMs: PATIENCE_MS,
      cmdline: `pstore.backend=${backend} pstore.kmsg_bytes=65536 printk.devkmsg=on`,
      ...machines[backend]?.(),
    });
    await guest.sh('mount -t pstore pstore /sys/fs/pstore; mount -t debugfs debugfs /sys/kernel/debug');
    return guest;
  };

  it('in parts, is put together again', { timeout: 2 * PATIENCE_MS }, async () => {
    {
      await using guest = await boot();
      await guest.sh(
        `i=0; while [ $i -lt ${LINES} ]; do echo "<6>line $i: something has happened" > /dev/kmsg; i=$((i+1)); done`,
        { timeoutMs: PATIENCE_MS },
      );
      await guest.sh('(echo BUG > /sys/kernel/debug/provoke-crash/DIRECT) 2>&1 || true');
      await guest.sh('echo 1 > /proc/sys/kernel/sysrq; echo "these are my last words" > /dev/kmsg');
      void guest.sh('echo c > /proc/sysrq-trigger').catch(() => undefined);
      await guest.exited;
    }
    await using guest = await boot();
    for (const { name, data, modified } of await shownFiles(guest)) {
      writeFileSync(`${folder}/${name}`, data);
      utimesSync(`${folder}/${name}`, modified, modified);
    }
    const { dumps, files, empty } = readPstoreFs(folder);
    expect(empty).toBe(undefined);
    expect(files.length).toBeGreaterThan(2);
    expect(dumps.map(({ backend, reason, count }) => [backend, reason, count])).toEqual([
      [backend, 'Panic', 2],
      [backend, 'Oops', 1],
    ]);
    for (const { log, missingParts, files } of dumps) {
      expect(files.length).toBeGreaterThan(1);
      expect(missingParts).toEqual([]);
      const times = timesIn(log);
      expect(times.length).toBeGreaterThan(2 * LINES);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(numbersIn(log)).toEqual(Array.from({ length: LINES }, (_, index) => index));
    }
    const [panic = '', oops = ''] = dumps.map(({ log }) => Buffer.from(log).toString());
    expect(oops).toContain('RIP: 0010:lkdtm_BUG');
    expect(oops).not.toContain('these are my last words');
    expect(panic.split('these are my last words\n')[1]).toContain('Kernel panic - not syncing: sysrq');
  });
});
