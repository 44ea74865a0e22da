import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bootGuest, type Guest } from '@vm-tools/guest';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Bench } from '../nine-s.ts';
import { compile } from './compile.ts';

/** As in writer.c. */
const CHUNK = 65_536;
const FILE_SIZE = 32 * CHUNK;

let bench: Bench;
let guest: Guest;

beforeAll(async () => {
  bench = new Bench();
  const writer = join(bench.folder, 'writer');
  const source = fileURLToPath(new URL('writer.c', import.meta.url));
  compile(source, writer);
  guest = await bootGuest({ p9: { p9: bench.socket }, files: { '/bin/writer': writer } });
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await bench?.clear();
});

/** The file as its writer made it, from its start. */
function expectedContents(file: number, length: number): Buffer {
  const lines: string[] = [];
  for (let at = 0; at < length; at += 16) {
    lines.push(`${file.toString(16).padStart(4, '0')} ${at.toString(16).padStart(10, '0')}\n`);
  }
  return Buffer.from(lines.join('')).subarray(0, length);
}

/** The sockets of this process, where the guest's vsock device is: each connection to the server holds one. */
function held(): string[] {
  const targets = readdirSync('/proc/self/fd').map((fd) => linkTarget(`/proc/self/fd/${fd}`));
  return targets.filter((target) => target.startsWith('socket:')).sort();
}

/** "" for a descriptor that has just been closed. */
function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** How a file stands: how much of it there is, and whether all that is right. */
function state(path: string, file: number) {
  const contents = readFileSync(path);
  return { size: contents.length, isPrefix: contents.equals(expectedContents(file, contents.length)) };
}

/** Starts it in the guest; resolves with what it says at its end: call, error, file, bytes. */
async function start(
  words: string[],
): Promise<() => Promise<[call: string, error: string, file: number, bytes: number]>> {
  const process = await guest.spawn(['/bin/writer', ...words]);
  const output = text(process.stdout);
  return async () => {
    await process.exited;
    const [call = '', error = '', file, bytes] = (await output).trim().split(' ');
    return [call, error, Number(file), Number(bytes)];
  };
}

it('9s killed in the middle of writes leaves a sane tree, a guest with errors, and nothing else; the next one serves on', {
  timeout: 400_000,
}, async () => {
  let nineS = await bench.serve();
  const before = held();
  await guest.mount9p('p9', '/mnt');
  expect(held().filter((socket) => !before.includes(socket))).toHaveLength(1);

  writeFileSync(join(bench.root, 'read'), Buffer.alloc(CHUNK, 'r'));
  const folders = ['a', 'b', 'c'];
  for (const name of folders) mkdirSync(join(bench.root, name));
  const writers = await Promise.all(folders.map((name) => start([`/mnt/${name}`])));
  const others = [await start(['/mnt/read', 'read']), await start(['/mnt/read', 'stat'])];
  await vi.waitUntil(() => folders.every((name) => existsSync(join(bench.root, name, '3'))), {
    timeout: 200_000,
  });
  nineS.child.kill('SIGKILL');
  expect(await nineS.ended).toMatchObject({ signal: 'SIGKILL' });

  // Everyone gets an error: nobody waits for ever.
  const ends = await Promise.all(writers.map((ended) => ended()));
  const otherEnds = await Promise.all(others.map((ended) => ended()));
  // What waited for an answer ends with the error of the socket, or with EFAULT where that was a plain end (an empty answer,
  // for Linux 6.1: net/9p/trans_fd.c, p9_read_work); what asks from then on ends with EIO.
  const errors = ['EIO', 'ECONNRESET', 'EREMOTEIO', 'EPIPE', 'EFAULT'];
  for (const [, error] of [...ends, ...otherEnds]) expect(errors).toContain(error);
  expect(otherEnds.map(([call]) => call)).toEqual(['read', 'stat']);

  // The tree: every file whole, but the last of each writer; that holds all that the guest was told is written, and at most one write more.
  for (const [index, name] of folders.entries()) {
    const [call, , last, bytes] = ends[index] as Awaited<ReturnType<(typeof writers)[number]>>;
    const folder = join(bench.root, name);
    const files = readdirSync(folder)
      .map(Number)
      .sort((a, b) => a - b);
    // What failed may be the creation of a file: then it may be there or not.
    if (call === 'open' && files.length === last + 1)
      expect(statSync(join(folder, String(files.pop()))).size).toBe(0);
    expect(files).toEqual(Array.from({ length: call === 'open' ? last : last + 1 }, (_, file) => file));
    for (const file of files) {
      const { size, isPrefix } = state(join(folder, String(file)), file);
      expect(isPrefix, `${name}/${file}`).toBe(true);
      if (file < last) expect(size).toBe(FILE_SIZE);
      else expect(size >= bytes && size <= bytes + CHUNK, `${size} bytes, ${bytes} acknowledged`).toBe(true);
    }
  }

  // The mount that lost its server says so, before and after there is a new one: it does not come back by itself.
  expect(existsSync(bench.socket)).toBe(true);
  expect((await guest.exec(['ls', '/mnt'])).stderr).toContain('Input/output error');
  nineS = await bench.serve();
  expect((await guest.exec(['ls', '/mnt'])).stderr).toContain('Input/output error');
  await guest.unmount('/mnt');

  await guest.mount9p('p9', '/mnt');
  const copied = await guest.sh('cd /mnt && cat a/0 > again && echo more >> a/1 && rm -r b && sync && ls');
  expect(copied.trim().split('\n')).toEqual(['a', 'again', 'c', 'hello', 'read']);
  expect(state(join(bench.root, 'again'), 0)).toEqual({ size: FILE_SIZE, isPrefix: true });
  expect(statSync(join(bench.root, 'a', '1')).size).toBe(FILE_SIZE + 5);

  await guest.unmount('/mnt');
  expect((await nineS.terminate()).code).toBe(0);
  expect(existsSync(bench.socket)).toBe(false);

  // Nothing is left of either connection.
  const left = () => held().filter((socket) => !before.includes(socket));
  await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 90_000, interval: 100 });
});
