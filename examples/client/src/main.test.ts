import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const node = (file: string, ...args: string[]) =>
  ['--conditions=@vm-tools/source', fileURLToPath(new URL(file, import.meta.url)), ...args] as const;
const base = mkdtempSync(join(tmpdir(), 'example-client-'));
const folder = join(base, 'served');
const socket = join(base, '9p.sock');
/** Larger than a message. */
const large = Buffer.from(Uint8Array.from({ length: 5_000_000 }, (_, at) => (at * 31 + (at >> 8)) & 0xff));

const server = (() => {
  mkdirSync(join(folder, 'sub'), { recursive: true });
  writeFileSync(join(folder, 'hello.txt'), 'hello\n', { mode: 0o640 });
  writeFileSync(join(folder, 'large'), large);
  return spawn(
    process.execPath,
    [...node('../../../services/9s/src/main.ts', '--log-level', 'warn', '--root', folder, `unix:${socket}`)],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
})();

beforeAll(async () => {
  while (!existsSync(socket) && server.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(server.exitCode, '9s has ended').toBe(null);
});

afterAll(async () => {
  server.kill();
  if (server.exitCode === null) await once(server, 'exit');
  rmSync(base, { recursive: true });
});

const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, [...node('./main.ts', ...args)], {
    encoding: 'buffer',
    maxBuffer: 16 << 20,
  });

test('ls lists a directory', async () => {
  const { stdout } = await run(`unix:${socket}`, 'ls');
  const lines = String(stdout).trimEnd().split('\n');
  expect(
    lines.map((line) =>
      line
        .replace(/\d{4}-\d\d-\d\d \d\d:\d\d /, '')
        .trim()
        .replaceAll(/ +/g, ' '),
    ),
  ).toEqual(['100640 6 hello.txt', '100644 5000000 large', expect.stringMatching(/^40755 \d+ sub$/)]);
  expect(String((await run(`unix:${socket}`, 'ls', 'sub')).stdout)).toBe('');
});

test('cat and get give what is in files', async () => {
  const { stdout } = await run(`unix:${socket}`, 'cat', 'hello.txt', 'large', 'hello.txt');
  expect(stdout.equals(Buffer.concat([Buffer.from('hello\n'), large, Buffer.from('hello\n')]))).toBe(true);
  await run(`unix:${socket}`, 'get', 'large', join(base, 'copy'));
  expect(readFileSync(join(base, 'copy')).equals(large)).toBe(true);
});

test('put writes a file, and shortens one that was longer', async () => {
  await run(`unix:${socket}`, 'put', join(folder, 'large'), 'sub/put');
  expect(readFileSync(join(folder, 'sub', 'put')).equals(large)).toBe(true);
  await run(`unix:${socket}`, 'put', join(folder, 'hello.txt'), 'sub/put');
  expect(readFileSync(join(folder, 'sub', 'put'), 'utf8')).toBe('hello\n');
});

test.each([
  ['what is not there', [`unix:${socket}`, 'cat', 'missing'], 1, /^ENOENT: .*missing/],
  ['a socket that nobody listens on', [`unix:${base}/none`, 'ls'], 69, /ENOENT|ECONNREFUSED/],
  ['a command that is none', [`unix:${socket}`, 'mv'], 64, /^usage: /],
  ['an address that is none', ['here', 'ls'], 64, /^usage: /],
  ['a command without its path', [`unix:${socket}`, 'cat'], 64, /^usage: /],
])('%s is said on standard error', async (_, args, code, message) => {
  const failure = await run(...args).then(
    () => undefined,
    (error: { code: number; stderr: Buffer }) => error,
  );
  expect(failure?.code).toBe(code);
  expect(String(failure?.stderr)).toMatch(message);
});
