import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const profile = mkdtempSync(join(tmpdir(), 'example-browser-'));
const children: ChildProcess[] = [];
let address: string;
let server: Server | undefined;

beforeAll(async () => {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const program = spawn(process.execPath, ['--conditions=@vm-tools/source', main], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  children.push(program);
  const [line] = (await once(program.stdout!, 'data')) as [Buffer];
  address = String(line).trim();
});

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.pid === undefined) continue;
    const exited = once(child, 'exit');
    // The browser's helpers are in its group.
    process.kill(-child.pid, 'SIGKILL');
    await exited;
  }
  server?.closeAllConnections();
  server?.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

/** Uses the page as a user would, and reports what is to be seen after each step. */
const user = `
  const id = (name) => document.getElementById(name);
  const shown = async (isSo) => {
    while (!isSo(id('status').value)) await new Promise((resolve) => setTimeout(resolve, 10));
    return id('status').value + ': ' + [...document.querySelectorAll('#files li')].map((li) => li.textContent).join(', ');
  };
  const steps = [await shown((status) => status.startsWith('2 files'))];
  id('name').value = 'new.txt';
  id('text').value = 'written in the page';
  id('save').click();
  steps.push(await shown((status) => status.startsWith('3 files')));
  document.querySelectorAll('#files button')[1].click();
  while (id('name').value !== 'poem.txt') await new Promise((resolve) => setTimeout(resolve, 10));
  steps.push(id('text').value);
  id('remove').click();
  steps.push(await shown((status) => status.startsWith('2 files')));
  id('name').value = 'missing';
  id('remove').click();
  steps.push(await shown((status) => !status.includes('files')));
  await fetch('/report', { method: 'POST', body: JSON.stringify(steps) });
`;

/** The example's page, and a user in it; resolves with the report. */
function watchedPage(): { url: Promise<string>; report: Promise<string[]> } {
  const { promise: report, resolve } = Promise.withResolvers<string[]>();
  const created = createServer(async (request, response) => {
    if (request.url === '/report') {
      resolve(JSON.parse(await text(request)));
      response.end();
      return;
    }
    const answer = await fetch(new URL(request.url ?? '', address));
    const body = await answer.text();
    response.setHeader('content-type', answer.headers.get('content-type') ?? '');
    const isPage = request.url === '/';
    response.end(isPage ? body.replace('</body>', `<script type="module">${user}</script></body>`) : body);
  });
  server = created.listen(0, '127.0.0.1');
  const url = once(created, 'listening').then(
    () => `http://127.0.0.1:${(created.address() as AddressInfo).port}/`,
  );
  return { url, report };
}

test('the page lists, writes, reads and removes what the worker serves', async () => {
  const { url, report } = watchedPage();
  const switches = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
  switches.push('--disable-background-networking', '--disable-component-update', '--disable-sync');
  switches.push('--disable-dev-shm-usage', `--user-data-dir=${profile}`);
  const browser = spawn('chromium', [...switches, await url], { stdio: 'ignore', detached: true });
  children.push(browser);
  const failed = new Promise<never>((_, reject) => {
    browser.once('error', ({ message }) =>
      reject(new Error(`${message}; to install it: apt-get install chromium`)),
    );
    browser.once('exit', (code) => reject(new Error(`chromium has ended with ${code}`)));
  });
  failed.catch(() => {});
  expect(await Promise.race([report, failed])).toEqual([
    '2 files, 104 bytes: read me.txt 83 bytes, poem.txt 21 bytes',
    '3 files, 123 bytes: read me.txt 83 bytes, poem.txt 21 bytes, new.txt 19 bytes',
    'So much depends\nupon\n',
    '2 files, 102 bytes: read me.txt 83 bytes, new.txt 19 bytes',
    expect.stringMatching(/^ENOENT: .*: read me\.txt/),
  ]);
});
