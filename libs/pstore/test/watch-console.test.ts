import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConsoleEvent } from '../src/console-follower.ts';
import { readRegionFile, watchConsole } from '../src/host/index.ts';
import { buildRamoops, RamoopsWriter } from '../src/synth/index.ts';

const SPEC = 'mem=64K,record=16K,console=16K,pmsg=4K';
const LAYOUT = {
  memSize: 0x10000,
  recordSize: 0x4000,
  consoleSize: 0x4000,
  ftraceSize: 0,
  pmsgSize: 0x1000,
  ecc: 0,
};
/** For a machine that is busy with other things. */
const PATIENCE = { timeout: 60_000, interval: 10 };
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-watch-'));
  file = join(folder, 'ram');
});
afterEach(() => rmSync(folder, { recursive: true }));

const textOf = (events: readonly ConsoleEvent[]) =>
  events
    .map((event) => (event.kind === 'data' ? Buffer.from(event.bytes).toString() : `<${event.kind}>`))
    .join('');

/** Watches, and gives what has come so far. */
function watch(options: Parameters<typeof watchConsole>[1] = {}): {
  events: ConsoleEvent[];
  end: () => Promise<void>;
} {
  const abort = new AbortController();
  const events: ConsoleEvent[] = [];
  const done = (async () => {
    for await (const event of watchConsole(file, {
      layout: SPEC,
      intervalMs: 1,
      signal: abort.signal,
      ...options,
    })) {
      events.push(event);
    }
  })();
  return {
    events,
    end: async () => {
      abort.abort();
      await done;
    },
  };
}

describe('the console of a machine that runs', () => {
  it('comes line by line, each once, also when the ring wraps many times', async () => {
    writeFileSync(file, new Uint8Array(LAYOUT.memSize));
    const lines = 3000;
    const writer = start([file, SPEC, String(lines), '0.01']);
    await writer.said('ready');
    const { events, end } = watch();
    writer.child.stdin?.write('go\n');
    await writer.said('done');
    await end();
    writer.child.stdin?.write('end\n');
    await writer.ended;
    const given = [...textOf(events).matchAll(/^\[ *(\d+)\] something happened\n/gm)].map(([, line]) =>
      Number(line),
    );
    expect(given).toEqual([...new Set(given)].sort((a, b) => a - b));
    // A machine that is busy with other things may not have let us look in time; then we have said so.
    if (!events.some(({ kind }) => kind === 'lost')) expect(given).toHaveLength(lines);
    expect(given.at(-1)).toBe(lines - 1);
  });

  it('is followed through another boot', async () => {
    const { region } = new RamoopsWriter(LAYOUT);
    const before = new RamoopsWriter(LAYOUT, { region });
    before.console('first boot\n');
    writeFileSync(file, region);
    const { events, end } = watch();
    await vi.waitUntil(() => textOf(events) === 'first boot\n', PATIENCE);
    new RamoopsWriter(LAYOUT, { region }).console('second\n');
    writeFileSync(file, region, { flag: 'r+' });
    await vi.waitUntil(() => textOf(events) === 'first boot\n<restart>second\n', PATIENCE);
    await end();
  });

  it('is found in the memory of a whole machine, by its address', async () => {
    const memory = Buffer.alloc(0x40000);
    memory.set(buildRamoops({ layout: LAYOUT, console: 'somewhere in memory\n' }), 0x20000);
    writeFileSync(file, memory);
    const layout = `${SPEC},address=0x20000`;
    expect(readRegionFile(file, { layout }).offset).toBe(0x20000);
    const { events, end } = watch({ layout });
    await vi.waitUntil(() => textOf(events) === 'somewhere in memory\n', PATIENCE);
    await end();
  });

  it('can be left at any time, and no descriptor stays behind', async () => {
    writeFileSync(file, buildRamoops({ layout: LAYOUT, console: 'hello\n' }));
    const isOpen = () => readdirSync('/proc/self/fd').some((fd) => linkOf(`/proc/self/fd/${fd}`) === file);
    for await (const event of watchConsole(file, { layout: SPEC, intervalMs: 1 })) {
      expect([event.kind, isOpen()]).toEqual(['data', true]);
      break;
    }
    expect(isOpen()).toBe(false);
  });

  it('goes on when the file is shorter for a while', async () => {
    const region = buildRamoops({ layout: LAYOUT, console: 'hello\n' });
    writeFileSync(file, region);
    const { events, end } = watch();
    await vi.waitUntil(() => textOf(events) === 'hello\n', PATIENCE);
    truncateSync(file, 100);
    truncateSync(file, region.length);
    writeFileSync(file, region, { flag: 'r+' });
    await end();
    expect(textOf(events)).toBe('hello\n');
  });
});

describe('a file that cannot be followed', () => {
  const first = async (options: Parameters<typeof watchConsole>[1]) =>
    await watchConsole(file, options).next();

  it('has no console', async () => {
    writeFileSync(file, new Uint8Array(0x8000));
    await expect(first({ layout: 'record=4096' })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_LAYOUT',
        message: expect.stringContaining('has no console zone by this layout'),
      }),
    );
  });

  it('ends before the region does', async () => {
    writeFileSync(file, new Uint8Array(100));
    await expect(first({ layout: SPEC })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_REGION_SIZE',
        offset: 100,
        message: `${file} has 100 bytes, and the region of 65536 begins at 0: give all of it`,
      }),
    );
  });

  it('is larger than a region can be', async () => {
    writeFileSync(file, '');
    truncateSync(file, 3 * 2 ** 30);
    await expect(first({})).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_REGION_SIZE',
        message: expect.stringContaining('is more than can be'),
      }),
    );
  });

  it('is not there', async () => {
    await expect(first({ layout: SPEC })).rejects.toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});

/** A descriptor may be gone when it is looked at: that of the listing itself is. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function start(args: readonly string[]): {
  child: ChildProcess;
  said: (word: string) => Promise<void>;
  ended: Promise<unknown>;
} {
  const script = fileURLToPath(new URL('fixtures/console-writer.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@vm-tools/source', script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const said = (word: string) => vi.waitUntil(() => out.includes(`${word}\n`), PATIENCE).then(() => {});
  return { child, said, ended };
}
