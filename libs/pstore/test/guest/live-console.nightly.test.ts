import type { Guest } from '@vm-tools/guest';
import { describe, expect, it, vi } from 'vitest';
import type { ConsoleEvent } from '../../src/console-follower.ts';
import { watchConsole } from '../../src/host/index.ts';
import { PersistentRam } from './persistent-ram.ts';
import { PATIENCE_MS } from './shown-files.ts';

const layout = {
  memSize: 0x20000,
  recordSize: 0x8000,
  consoleSize: 0x4000,
  ftraceSize: 0,
  pmsgSize: 0,
};
/** A burst fits into the zone; all of them are many times as long as it. */
const BURST = 100;
const BURSTS = 20;

/** Numbered lines on the console of the guest, as fast as it can. */
async function say(guest: Guest, from: number, count: number): Promise<void> {
  const script = `i=${from}; while [ $i -lt ${from + count} ]; do echo "<6>line $i: something has happened" > /dev/kmsg; i=$((i+1)); done`;
  await guest.sh(script, { timeoutMs: PATIENCE_MS });
}

const numbersIn = (text: string) =>
  [...text.matchAll(/line (\d+): something has happened\n/g)].map(([, n]) => Number(n));
const count = (length: number, from = 0) => Array.from({ length }, (_, index) => from + index);

describe('the console of a machine that runs', () => {
  it.each([0, 16])(
    'is followed line by line through its wraps, ecc=%i',
    { timeout: PATIENCE_MS },
    async (ecc) => {
      using ram = new PersistentRam({ layout: { ...layout, ecc } });
      await using guest = await ram.boot();
      const abort = new AbortController();
      const events: ConsoleEvent[] = [];
      let text = '';
      const watching = (async () => {
        const options = { layout: ram.commandLine, intervalMs: 10, signal: abort.signal };
        for await (const event of watchConsole(ram.path, options)) {
          if (event.kind === 'data') text += Buffer.from(event.bytes).toString();
          else events.push(event);
        }
      })();
      for (let burst = 0; burst < BURSTS; burst++) {
        await say(guest, burst * BURST, BURST);
        const last = `line ${(burst + 1) * BURST - 1}: something has happened\n`;
        await vi.waitUntil(() => text.includes(last), { timeout: 90_000, interval: 10 });
      }
      abort.abort();
      await watching;
      expect(numbersIn(text)).toEqual(count(BURSTS * BURST));
      expect(events).toEqual([]);
    },
  );

  it('that says more than its zone holds between two looks has lost lines, and the reader is told', {
    timeout: PATIENCE_MS,
  }, async () => {
    using ram = new PersistentRam({ layout: { ...layout, ecc: 0 } });
    await using guest = await ram.boot();
    const watching = watchConsole(ram.path, { layout: ram.commandLine, intervalMs: 10 });
    let text = '';
    const others: string[] = [];
    /** Looks until a line has come. Between two calls nobody looks. */
    const readUpTo = async (number: number) => {
      while (!text.includes(`line ${number}: something has happened\n`)) {
        const { value } = (await watching.next()) as { value: ConsoleEvent };
        if (value.kind === 'data') text += Buffer.from(value.bytes).toString();
        else others.push(value.kind);
      }
    };
    await say(guest, 0, 1);
    await readUpTo(0);
    await say(guest, 1, 1000);
    await readUpTo(1000);
    await watching.return(undefined);
    expect(others).toEqual(['lost']);
    const [first, ...rest] = numbersIn(text);
    expect(first).toBe(0);
    // What came after the loss is the end, without a gap.
    expect(rest).toEqual(count(rest.length, 1001 - rest.length));
  });
});
