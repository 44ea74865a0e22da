import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect } from 'vitest';
import { test } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import { close, open } from './descriptor.ts';
import { Errno } from './errno.ts';
import { mmap, munmap, pageOffset, reserve } from './memory.ts';

const { O_RDWR, O_RDONLY, PROT_READ, PROT_WRITE } = constants;
const PAGE = 65_536; // a multiple of every page size
const readWrite = PROT_READ | PROT_WRITE;

/** A file of three pages, each filled with its number, and a descriptor of it that the test closes. */
function threePages(directory: string): { path: string; fd: number } {
  const path = join(directory, 'file');
  writeFileSync(path, Buffer.concat([0, 1, 2].map((value) => Buffer.alloc(PAGE, value))));
  return { path, fd: open(path, O_RDWR) };
}

function mappingsOf(path: string): number {
  return readFileSync('/proc/self/maps', 'utf8').split(path).length - 1;
}

describe('mmap', () => {
  test('shows a file, and writes to it, without its descriptor', ({ directory }) => {
    const { path, fd } = threePages(directory.path);
    const memory = reserve(4 * PAGE);
    mmap(memory, PAGE, 2 * PAGE, { fd, offset: PAGE, protection: readWrite });
    close(fd);
    const bytes = new Uint8Array(memory);
    expect([bytes[PAGE], bytes[3 * PAGE - 1]]).toEqual([1, 2]);
    bytes[PAGE] = 77;
    expect(readFileSync(path)[PAGE]).toBe(77);
    munmap(memory);
  });

  test('puts one piece in place of another, or nothing', ({ directory }) => {
    const { path, fd } = threePages(directory.path);
    const memory = reserve(2 * PAGE);
    const bytes = new Uint8Array(memory);
    for (const page of [2, 1]) {
      mmap(memory, 0, PAGE, { fd, offset: page * PAGE, protection: PROT_READ });
      expect(bytes[0]).toBe(page);
      expect(mappingsOf(path)).toBe(1);
    }
    mmap(memory, 0, PAGE, { fd: -1 });
    expect(mappingsOf(path)).toBe(0);
    munmap(memory);
    close(fd);
  });

  test('refuses what is outside, what is no page, and memory of other origin', ({ directory }) => {
    const { fd } = threePages(directory.path);
    const memory = reserve(2 * PAGE);
    const mapping = { fd, protection: PROT_READ };
    for (const [at, length] of [
      [-PAGE, PAGE],
      [0, 3 * PAGE],
      [2 * PAGE, PAGE],
      [0, 0],
      [PAGE, 2 ** 53 - PAGE],
    ] as const) {
      expect(() => mmap(memory, at, length, mapping), `${at}, ${length}`).toThrow('EFAULT');
    }
    expect(() => mmap(memory, 1, PAGE, mapping)).toThrow('EINVAL');
    expect(() => mmap(memory, 0, PAGE, { ...mapping, offset: 1 })).toThrow('EINVAL');
    expect(() => mmap(new ArrayBuffer(PAGE), 0, PAGE, mapping)).toThrow('EINVAL');
    expect(() => mmap(memory, 0, PAGE, { ...mapping, fd: 999_999 })).toThrow('EBADF');
    munmap(memory);
    close(fd);
  });

  test('cannot be written to when it is not said', ({ directory }) => {
    const { path, fd } = threePages(directory.path);
    close(fd);
    const readonly = open(path, O_RDONLY);
    const memory = reserve(PAGE);
    expect(() => mmap(memory, 0, PAGE, { fd: readonly, protection: readWrite })).toThrow('EACCES');
    mmap(memory, 0, PAGE, { fd: readonly, protection: PROT_READ });
    munmap(memory);
    close(readonly);
  });
});

describe('munmap', () => {
  test('gives back at once and empties all views', ({ directory }) => {
    const { path, fd } = threePages(directory.path);
    const memory = reserve(PAGE);
    mmap(memory, 0, PAGE, { fd, protection: readWrite });
    const [bytes, words] = [new Uint8Array(memory), new DataView(memory)];
    munmap(memory);
    expect(mappingsOf(path)).toBe(0);
    expect([memory.byteLength, bytes.length, bytes[0]]).toEqual([0, 0, undefined]);
    expect(() => words.getUint8(0)).toThrow(TypeError);
    expect(() => munmap(memory)).toThrow('EINVAL');
    expect(() => munmap(new ArrayBuffer(8))).toThrow('EINVAL');
    close(fd);
  });
});

describe('reserve', () => {
  test('gives more addresses than there is memory', () => {
    const memory = reserve(2 ** 40);
    expect(memory.byteLength).toBe(2 ** 40);
    munmap(memory);
  });

  test('refuses sizes that there are not', () => {
    for (const size of [0, -1, 0.5, Number.NaN]) expect(() => reserve(size)).toThrow('EINVAL');
    expect(() => reserve(2 ** 52)).toThrow('ENOMEM');
  });

  test('ends with a worker that has one', async () => {
    const source = `
      const { reserve } = await import(${JSON.stringify(new URL('./memory.ts', import.meta.url).href)});
      globalThis.kept = [reserve(2 ** 30), reserve(2 ** 30)];`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    expect(await new Promise((resolve) => worker.once('exit', resolve))).toBe(0);
  });
});

describe('pageOffset', () => {
  test('tells where in a page an array begins', () => {
    const mapped = reserve(8192);
    expect(pageOffset(new Uint8Array(mapped))).toBe(0);
    expect(pageOffset(new Uint8Array(mapped, 100, 10))).toBe(100);
    expect(pageOffset(new Uint8Array(mapped, 5000))).toBe(5000 - 4096);
    munmap(mapped);
  });

  test('refuses what is no array', () => {
    expect(pageOffset('text' as unknown as Uint8Array)).toBe(-Errno.EINVAL);
  });
});
