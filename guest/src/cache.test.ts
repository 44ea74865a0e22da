import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { cached, cachedByOne, cacheFolder } from './cache.ts';

const kind = `test-${randomBytes(4).toString('hex')}`;

afterAll(() => {
  for (const name of readdirSync(cacheFolder))
    if (name.startsWith(kind)) rmSync(join(cacheFolder, name), { recursive: true });
});

test('what was built from the same inputs is built once, even when many ask at once', async () => {
  let built = 0;
  const build = async (folder: string) => {
    built++;
    writeFileSync(join(folder, 'file'), 'contents');
  };
  const folders = await Promise.all([1, 2, 3].map(() => cached(kind, ['a', 'b'], build)));
  expect(new Set([...folders, await cached(kind, ['a', 'b'], build)]).size).toBe(1);
  expect(built).toBe(1);
  expect(readFileSync(join(folders[0] as string, 'file'), 'utf8')).toBe('contents');
  await cached(kind, ['ab', ''], build);
  expect(built).toBe(2);
});

test('of two processes that build the same, the first gives it its name', async () => {
  const folder = await cached(kind, ['race'], async (partial) => {
    const other = partial.replace(/\.building-.*/, '');
    mkdirSync(other);
    writeFileSync(join(other, 'file'), 'of the other');
    writeFileSync(join(partial, 'file'), 'mine');
  });
  expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('of the other');
  expect(readdirSync(cacheFolder).filter((name) => name.startsWith(`${basename(folder)}.`))).toEqual([]);
});

test('a build that fails leaves nothing, and is tried again', async () => {
  const failing = cached(kind, ['failing'], () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  expect(existsSync(await cached(kind, ['failing'], async () => undefined))).toBe(true);
});

test('what a killed build left is removed by a later one', async () => {
  const abandoned = join(cacheFolder, `${kind}-0.building-old`);
  const fresh = join(cacheFolder, `${kind}-0.building-new`);
  for (const folder of [abandoned, fresh]) mkdirSync(folder);
  utimesSync(abandoned, new Date(), new Date(Date.now() - 7_200_000));
  await cached(kind, ['later'], async () => undefined);
  expect([existsSync(abandoned), existsSync(fresh)]).toEqual([false, true]);
});

test('what takes long is built by one, while the others wait for it', async () => {
  const order: string[] = [];
  const build = (name: string) => async (folder: string) => {
    order.push(name);
    writeFileSync(join(folder, name), '');
  };
  let finish = () => {};
  const first = cachedByOne(kind, ['long'], async (folder) => {
    await build('first')(folder);
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  await vi.waitUntil(() => order.length === 1, { timeout: 60_000 });
  const second = cachedByOne(kind, ['long'], build('second'));
  finish();
  expect(await second).toBe(await first);
  expect(order).toEqual(['first']);
});

test('when it fails, the next one builds, and who does not want to wait need not', async () => {
  let fail = (_: Error) => {};
  let isBuilding = false;
  const first = cachedByOne(kind, ['hard'], () => {
    isBuilding = true;
    return new Promise((_, reject) => {
      fail = reject;
    });
  });
  await vi.waitUntil(() => isBuilding, { timeout: 60_000 });
  const abort = new AbortController();
  const impatient = cachedByOne(kind, ['hard'], async () => undefined, abort.signal);
  const patient = cachedByOne(kind, ['hard'], async () => undefined);
  abort.abort();
  await expect(impatient).rejects.toMatchObject({ name: 'AbortError' });
  fail(new Error('no room'));
  await expect(first).rejects.toThrow('no room');
  expect(existsSync(await patient)).toBe(true);
});
