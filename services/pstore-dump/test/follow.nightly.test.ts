import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest } from '@vm-tools/guest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { run, start } from './vm-pstore-dump.ts';

const RAM = 'mem_address=0x8000000 mem_size=0x40000 record_size=0x8000 console_size=0x8000';
/** A burst fits into the zone; all of them are several times as long as it. */
const BURST = 400;
const BURSTS = 8;
/** For a machine that is busy with other things, and a kernel that is built first. */
const PATIENCE_MS = 3_600_000;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-follow-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('--follow prints the console of a guest while it runs; its last words stay', {
  timeout: PATIENCE_MS,
}, async () => {
  const memory = join(folder, 'memory');
  const where = ['--file', memory, '--cmdline', RAM.replaceAll(/\w+=/g, 'ramoops.$&')];
  {
    await using guest = await bootGuest({
      kernel: 'built',
      modules: [`ramoops ${RAM}`],
      cmdline: 'memmap=1M$0x8000000 printk.devkmsg=on',
      vm: { sharedMemory: memory },
    });
    const child = start([...where, '--follow']);
    let out = '';
    child.stdout?.on('data', (chunk) => {
      out += chunk;
    });
    let told = '';
    child.stderr?.on('data', (chunk) => {
      told += chunk;
    });
    const says = (text: string) => vi.waitUntil(() => out.includes(text), { timeout: 90_000, interval: 10 });
    await guest.sh('echo "it begins" > /dev/kmsg');
    await says('it begins\n');
    const say = (from: number, count: number) =>
      guest.sh(
        `i=${from}; while [ $i -lt ${from + count} ]; do echo "line $i" > /dev/kmsg; i=$((i+1)); done`,
      );
    const lines = BURST * BURSTS;
    for (let from = 0; from < lines; from += BURST) {
      await say(from, BURST);
      await says(`line ${from + BURST - 1}\n`);
    }
    const numbers = [...out.matchAll(/line (\d+)\n/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: lines }, (_, index) => index));
    expect(told).toBe('');
    // While nobody looks, more is written than the zone holds.
    child.kill('SIGSTOP');
    await say(lines, 5 * BURST);
    child.kill('SIGCONT');
    await says(`line ${lines + 5 * BURST - 1}\n`);
    const complaint = 'the guest wrote faster than could be read: lines are missing here';
    await vi.waitUntil(() => told.includes(complaint), { timeout: 90_000, interval: 10 });
    void guest.sh('echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger').catch(() => undefined);
    await says('Kernel panic - not syncing: sysrq triggered crash\n');
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    await guest.exited;
  }
  const { code, stdout } = await run(where);
  expect(code).toBe(0);
  expect(stdout.toString()).toContain('Kernel panic - not syncing: sysrq triggered crash\n');
});
