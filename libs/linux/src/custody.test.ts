import { closeSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { constants } from './constants.ts';
import { keptAccept, keptOpen, keptSocket, keptSocketpair, letGo } from './custody.ts';
import { close, getFlags } from './descriptor.ts';
import { Errno } from './errno.ts';
import { watch } from './watch.ts';

const { AF_UNIX, O_RDONLY, SOCK_STREAM } = constants;

interface Held {
  readonly kept: readonly number[];
  readonly given: number;
  readonly gone: number;
}

/** A thread with descriptors as numbers. */
async function holder(): Promise<Held & { readonly worker: Worker }> {
  const worker = new Worker(new URL('../test/custody-worker.ts', import.meta.url));
  const held = await new Promise<Held>((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  return { ...held, worker };
}

const fileOf = (fd: number) => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
};

describe('a descriptor that is kept', () => {
  test('is closed with a thread that is terminated; one that was let go is not', async () => {
    const { worker, kept, given } = await holder();
    const files = kept.map(fileOf);
    expect(files.every((file) => file?.startsWith('socket:'))).toBe(true);
    await worker.terminate();
    expect(kept.map(fileOf).filter((file) => file !== undefined && files.includes(file))).toEqual([]);
    expect(fileOf(given)).toBe('/dev/null');
    close(given);
  });

  test('is not mistaken for another file that has its number by then', async () => {
    const { worker, given, gone } = await holder();
    const taken: number[] = [];
    do taken.push(openSync('/proc/self/status', 'r'));
    while (taken.at(-1) !== gone && taken.length < 1000);
    expect(taken).toContain(gone);
    await worker.terminate();
    expect(fstatSync(gone).isFile()).toBe(true);
    for (const fd of taken) closeSync(fd);
    close(given);
  });

  test('is closed by hand like any other', () => {
    const [near, far] = keptSocketpair(AF_UNIX, SOCK_STREAM);
    const made = [keptOpen('/dev/null', O_RDONLY), keptSocket(AF_UNIX, SOCK_STREAM), near, far];
    for (const fd of made) {
      expect(getFlags(fd)).toBeGreaterThanOrEqual(0);
      expect(close(fd)).toBe(0);
    }
  });
});

test('what fails keeps nothing', () => {
  expect(() => keptSocket(-1, SOCK_STREAM)).toThrow(/EAFNOSUPPORT/);
  expect(() => keptSocketpair(-1, SOCK_STREAM)).toThrow(/EAFNOSUPPORT/);
  expect(() => keptOpen('/nowhere/at/all', O_RDONLY)).toThrow(
    "ENOENT: no such file or directory, open '/nowhere/at/all'",
  );
  expect(keptAccept(-1, 0)).toBe(-Errno.EBADF);
  expect(letGo(-1)).toBe(-1);
});

test('a watch that hands out its descriptor is at its end', () => {
  const [near, far] = keptSocketpair(AF_UNIX, SOCK_STREAM);
  const watching = watch(near, { readable: true }, () => undefined);
  const file = fileOf(near);
  const taken = watching.take();
  expect([fileOf(taken), watching.fd]).toEqual([file, -1]);
  expect(() => watching.take()).toThrow('EBADF');
  watching.close();
  expect(fileOf(taken)).toBe(file);
  for (const fd of [near, far, taken]) close(fd);
});
