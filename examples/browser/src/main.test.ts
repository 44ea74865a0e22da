import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

let program: ChildProcess;
let address: string;

beforeAll(async () => {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  program = spawn(process.execPath, ['--conditions=@vm-tools/source', main], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(program.stdout!, 'data')) as [Buffer];
  address = String(line).trim();
});

afterAll(async () => {
  const exited = once(program, 'exit');
  program.kill();
  await exited;
});

// That they work in a browser is tested nightly (page.nightly.test.ts).
test('page and worker are bundled for a browser, and served on loopback', async () => {
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  const page = await fetch(address);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(await page.text()).toContain('<script type="module" src="page.js">');
  for (const file of ['page.js', 'worker.js']) {
    const script = await (await fetch(address + file)).text();
    expect(script.length).toBeGreaterThan(10_000);
    expect(script, file).not.toMatch(/from\s*["']|require\(|\bprocess\.|\bBuffer\./);
  }
  expect((await fetch(`${address}package.json`)).status).toBe(404);
});
