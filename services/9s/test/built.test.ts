import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from '@vm-tools/p9-protocol';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { Bench } from './nine-s.ts';

let bench: Bench;

// What was built from these very sources is left alone.
beforeAll(() => {
  const script = fileURLToPath(new URL('../../../scripts/build.ts', import.meta.url));
  execFileSync(process.execPath, [script, '@vm-tools/9s', '@vm-tools/p9-protocol', '@vm-tools/linux']);
});
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clear());

it('9s as it is published serves, refuses and ends as its sources do', async () => {
  const args = ['--root', bench.root, bench.listen];
  const nineS = bench.start(args, { from: 'build' });
  await nineS.logged('listening');
  const client = await Client.connect({ stream: await bench.connect() });
  const root = await client.attach();
  expect(new TextDecoder().decode(await root.readFile('hello'))).toBe('hello, guest\n');
  expect(await bench.start(args, { from: 'build' }).ended).toMatchObject({ code: 69, stdout: '' });
  expect(await bench.start(['--nonsense'], { from: 'build' }).ended).toMatchObject({ code: 64, stdout: '' });
  expect(await nineS.terminate()).toMatchObject({ code: 0, signal: null, stdout: '' });
  expect(readdirSync(bench.folder)).toEqual(['root']);
});
