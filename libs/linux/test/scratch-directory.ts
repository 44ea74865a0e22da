import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base } from 'vitest';
import { close, constants, open } from '../src/index.ts';

/** An empty directory that is gone after the test. */
export interface ScratchDirectory {
  readonly path: string;
  /** An `O_PATH` descriptor of it. */
  readonly fd: number;
}

export const test = base.extend<{ directory: ScratchDirectory }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern to learn what the fixture needs
  directory: async ({}, use) => {
    const path = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
    const fd = open(path, constants.O_PATH | constants.O_DIRECTORY);
    await use({ path, fd });
    close(fd);
    rmSync(path, { recursive: true, force: true });
  },
});

/** A name as hot calls take it: `...name('x')`. */
export function name(text: string | Uint8Array): [bytes: Uint8Array, start: number, length: number] {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return [bytes, 0, bytes.length];
}

/** Start and length that are not inside 8 bytes. */
export const outside: readonly (readonly [start: number, length: number])[] = [
  [-1, 1],
  [0, -1],
  [0, 9],
  [8, 1],
  [9, 0],
  [2 ** 32, 1],
  [1, 2 ** 53 - 1],
];

/** Names that no call takes, and the error for each. */
export const refused: readonly (readonly [bytes: Uint8Array, start: number, length: number, code: string])[] =
  [
    [Buffer.from('a\0b'), 0, 3, 'EINVAL'],
    [Buffer.alloc(4096, 'x'), 0, 4096, 'ENAMETOOLONG'],
    ...outside.map(([start, length]) => [Buffer.alloc(8, 'x'), start, length, 'EINVAL'] as const),
  ];
