import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as linux from '@vm-tools/linux';
import { afterEach, beforeEach, expect, it } from 'vitest';

const PROCESSES = 4;
const ROUNDS = 40;
let folder: string;
let children: ChildProcess[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-contenders-'));
  const fixture = fileURLToPath(new URL('fixtures/contender.ts', import.meta.url));
  children = Array.from({ length: PROCESSES }, () => fork(fixture));
  await answers();
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function answers(): Promise<unknown[]> {
  const all = await Promise.all(children.map((child) => once(child, 'message')));
  return all.map(([answer]) => answer);
}

async function tell(message: string | null): Promise<unknown[]> {
  const answered = answers();
  for (const child of children) child.send(message as string);
  return await answered;
}

it('of processes that start on a stale socket at once, exactly one listens', async () => {
  const path = join(folder, 's');
  for (let round = 0; round < ROUNDS; round++) {
    const stale = linux.socket(linux.constants.AF_UNIX, linux.constants.SOCK_STREAM);
    linux.bind(stale, { family: 'unix', path });
    linux.close(stale);
    const results = await tell(path);
    expect(results.toSorted()).toEqual([...new Array(PROCESSES - 1).fill('ERR_ADDRESS_IN_USE'), 'listening']);
    await tell(null);
    expect(readdirSync(folder)).toEqual([]);
  }
});
