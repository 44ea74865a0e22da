import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleForBrowser } from './bundle.ts';
import { Chromium } from './chromium.ts';
import type { conform, exchange } from './page.ts';

let chromium: Chromium;
let folder: string;
let url: string;

/** The page has the worker's script in it: a page that comes from a file may not load another as a worker. */
const html = (page: string, server: string) => `<!doctype html>
<title>9P</title>
<script>${page}; globalThis.page = page;</script>
<script>
  const script = new Blob([${JSON.stringify(server).replaceAll('<', '\\u003c')}], { type: 'text/javascript' });
  const worker = new Worker(URL.createObjectURL(script));
  const failed = new Promise((_, reject) => { worker.onerror = ({ message }) => reject(new Error(message)); });
  function connect(what) {
    const { port1, port2 } = new MessageChannel();
    worker.postMessage(what, [port1]);
    return port2;
  }
</script>`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'p9-browser-'));
  const page = await bundleForBrowser('./page.ts', 'page');
  writeFileSync(join(folder, 'page.html'), html(page, await bundleForBrowser('./server.ts', 'server')));
  url = pathToFileURL(join(folder, 'page.html')).href;
  chromium = await Chromium.start();
});

afterAll(async () => {
  await chromium?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test('a page mounts what a worker serves, and exchanges megabytes with it', async () => {
  const expression = `Promise.race([failed, page.exchange(connect('greeting'))])`;
  expect(await chromium.evaluate<Awaited<ReturnType<typeof exchange>>>(url, expression)).toEqual({
    greeting: 'hello from the worker\nhello from the worker\nand from the page\n',
    bytesWritten: 3 * (8 << 20) + 3,
    bytesRead: 3 * (8 << 20) + 3,
    differsAt: -1,
    names: ['.', '..', 'greeting', 'file 0', 'file 1', 'file 2'],
    globals: [],
  });
});

test('the conformance suite passes in a browser', async () => {
  const ports = `Array.from({ length: 200 }, () => connect('empty'))`;
  const expression = `Promise.race([failed, page.conform(...${ports})])`;
  const { passed, failed } = await chromium.evaluate<Awaited<ReturnType<typeof conform>>>(url, expression);
  expect(failed).toEqual([]);
  expect(passed).toBeGreaterThan(100);
});
