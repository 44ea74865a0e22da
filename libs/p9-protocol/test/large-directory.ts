import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { close, constants, mknodat, open } from '@vm-tools/linux';
import { expect } from 'vitest';
import type { RemoteFile } from '../src/client/remote-file.ts';
import { serveHostToClient } from './served.ts';

const nameOf = (index: number) => `entry-${index}`;

/** Lists a directory of so many entries while it changes: each comes once, and whatever cookie was given leads on from its entry. */
export async function listWhileItChanges(entries: number): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'p9-large-'));
  try {
    fill(path, entries);
    await list(path, entries);
  } finally {
    rmSync(path, { recursive: true });
  }
}

function fill(path: string, entries: number): void {
  const directory = open(path, constants.O_PATH | constants.O_DIRECTORY);
  for (let index = 0; index < entries; index++) {
    const name = Buffer.from(nameOf(index));
    mknodat(directory, name, 0, name.length, constants.S_IFREG | 0o600, 0, 0);
  }
  close(directory);
}

async function list(path: string, entries: number): Promise<void> {
  const part = entries / 10;
  const half = entries / 2;
  const served = await serveHostToClient('thread', { root: path });
  const { root } = served;
  const directory = await root.open('');
  const listed = new Map<string, number>();
  const cookies: { after: string; cookie: bigint }[] = [];
  let seen = 0;
  for await (const { name, next } of directory.readdir()) {
    const text = String(name);
    listed.set(text, (listed.get(text) ?? 0) + 1);
    seen++;
    if (seen % part === 0) {
      cookies.push({ after: text, cookie: next });
      // Behind the listing and before it names are taken away and made.
      rmSync(join(path, nameOf(seen / part)));
      await root.unlink(nameOf(half + seen / part));
      writeFileSync(join(path, `new-${seen}`), '');
    }
  }
  for (let index = 0; index < entries; index++) {
    const times = listed.get(nameOf(index)) ?? 0;
    const mayBeGone = (index >= 1 && index <= 10) || (index > half && index <= half + 10);
    if (mayBeGone) expect(times).toBeLessThanOrEqual(1);
    else if (times !== 1) expect.fail(`${nameOf(index)} was listed ${times} times`);
  }
  // What a cookie stands for stays the place behind its entry.
  const now = new Set(readdirSync(path));
  const orderNow = await namesFrom(directory, 0n);
  expect(new Set(orderNow)).toStrictEqual(new Set([...now, '.', '..']));
  for (const { after, cookie } of cookies) {
    const rest = await namesFrom(directory, cookie);
    if (now.has(after)) expect(rest).toStrictEqual(orderNow.slice(orderNow.indexOf(after) + 1));
  }
  await directory.clunk();
  await served.end();
}

async function namesFrom(directory: RemoteFile, cookie: bigint): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of directory.readdir(cookie)) names.push(String(name));
  return names;
}
