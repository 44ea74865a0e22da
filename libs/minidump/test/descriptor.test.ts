import { spawn, spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { close, constants, getFlags, pipe } from '@vm-tools/linux';
import { afterAll, expect, test, vi } from 'vitest';
import { convertCore } from '../src/host/index.ts';
import { readMinidump } from '../src/index.ts';
import { synthesizeCore } from '../src/synth/index.ts';
import { at, process as made } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'vm-tools-minidump-'));
afterAll(() => rmSync(folder, { recursive: true }));

// Large enough to be passed over in many pieces.
const { segments = [] } = made();
const hole = { start: 0x10_0000_0000n, bytes: new Uint8Array(40 << 20).fill(0xee), flags: 'r--' };
const core = synthesizeCore(made({ segments: [...segments.slice(0, 4), hole, ...segments.slice(4)] }));
const file = join(folder, 'core');
writeFileSync(file, core);

async function expected(): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  await convertCore(core, (chunk) => chunks.push(chunk), { proc: {}, time: 1 });
  return Buffer.concat(chunks);
}

/** The descriptors of this process for the same pipe. */
function holdersOf(fd: number): string[] {
  const target = readlinkSync(`/proc/self/fd/${fd}`);
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`) === target;
    } catch {
      return false; // that of the directory itself
    }
  });
}

/** Has another process write the core into a pipe; gives the end to read. */
function piped(command: string): { fd: number; ended: Promise<number | null> } {
  const [read, write] = pipe();
  const writer = spawn('sh', ['-c', command], { stdio: ['ignore', write, 'inherit'] });
  close(write);
  return { fd: read, ended: new Promise((resolve) => writer.once('exit', resolve)) };
}

test('a pipe gives the same dump as the bytes, is read to its end, and is left as it was', async () => {
  const { fd, ended } = piped(`cat '${file}'; printf 'and more'`);
  const chunks: Uint8Array[] = [];
  const { coreSize } = await convertCore(fd, (chunk) => chunks.push(chunk), { proc: {}, time: 1 });
  expect(Buffer.concat(chunks).equals(await expected())).toBe(true);
  expect(coreSize).toBe(core.length + 8);
  expect(await ended).toBe(0);
  expect(getFlags(fd) & constants.O_NONBLOCK).toBe(0);
  // The duplicate that was watched is closed when the event loop comes to it.
  await vi.waitUntil(() => holdersOf(fd).length === 1, { timeout: 90_000 });
  close(fd);
});

test('a pipe that dribbles is waited for', async () => {
  const parts = `for part in $(seq 0 19); do tail -c +$((part * 1000 + 1)) '${file}' | head -c 1000; sleep 0.01; done`;
  const { fd } = piped(`${parts}; tail -c +20001 '${file}'`);
  const chunks: Uint8Array[] = [];
  const { signal } = new AbortController();
  await convertCore(fd, (chunk) => chunks.push(chunk), { proc: {}, time: 1, signal });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  close(fd);
  expect(Buffer.concat(chunks).equals(await expected())).toBe(true);
});

test('what is no core is read to its end, too: its writer does not wait, and gets no SIGPIPE', async () => {
  const { fd, ended } = piped('head -c 3000000 /dev/zero');
  await expect(convertCore(fd, () => undefined)).rejects.toMatchObject({ code: 'ERR_CORE_NOT_ELF' });
  expect(await ended).toBe(0);
  close(fd);
});

test('an abort ends the wait for a pipe that nothing comes from', async () => {
  const [read, write] = pipe();
  const controller = new AbortController();
  const run = convertCore(read, () => undefined, { signal: controller.signal });
  setImmediate(() => controller.abort(new Error('enough')));
  await expect(run).rejects.toThrow('enough');
  for (const fd of [read, write]) close(fd);
});

test('a socket is read like any stream', async () => {
  const path = join(folder, 'socket');
  const server = createServer((socket) => socket.end(core)).listen(path);
  // bash has no Unix sockets; a child that passes its standard input on has.
  const program = `
    import { connect } from 'node:net';
    import { convertCore } from '@vm-tools/minidump/host';
    const socket = connect(${JSON.stringify(path)});
    const summary = await convertCore(socket, () => undefined, { proc: {} });
    console.log(summary.threads, summary.softErrors.length);
  `;
  const child = spawn(
    process.execPath,
    ['--conditions=@vm-tools/source', '--input-type=module-typescript', '--eval', program],
    { cwd: join(import.meta.dirname, '..'), stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await new Promise((resolve) => child.once('close', resolve));
  server.close();
  expect(output).toBe('2 0\n');
});

test('a file is read where it must be, and gives the same dump', async () => {
  const fd = openSync(file, 'r');
  const output = join(folder, 'dump');
  const to = openSync(output, 'w');
  await convertCore(fd, to, { proc: {}, time: 1 });
  for (const one of [fd, to]) closeSync(one);
  expect(readFileSync(output).equals(await expected())).toBe(true);
  expect(readMinidump(readFileSync(output)).threads[0]?.stack?.start).toBe(at.stack + 0x780n);
});

test('without the native package a pipe comes through the streams of Node', () => {
  // A loader that knows no such package.
  const hook = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier !== '@vm-tools/linux') return next(specifier, context);
        throw Object.assign(new Error('not installed'), { code: 'ERR_MODULE_NOT_FOUND' });
      },
    });
    const { convertCore } = await import('@vm-tools/minidump/host');
    const { threads } = await convertCore(0, () => undefined, { proc: {} });
    console.log(threads);
  `;
  const node = `'${process.execPath}' --conditions=@vm-tools/source --input-type=module --eval "$1"`;
  const run = spawnSync('sh', ['-c', `cat '${file}' | ${node}`, 'sh', hook], {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8',
  });
  expect([run.stdout, run.status]).toEqual(['2\n', 0]);
});
