import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { KernelPosition } from './kernel-position.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-kernel-position-'));
  return () => rmSync(folder, { recursive: true });
});

test('where one process ended, the next one of this boot goes on', () => {
  const position = new KernelPosition(folder);
  expect(position.read()).toBeUndefined();
  for (const sequence of [0, 4711]) {
    position.write(sequence);
    expect(new KernelPosition(folder).read()).toBe(sequence);
  }
  expect(new KernelPosition(folder, 'another boot').read()).toBeUndefined();
  expect(readdirSync(folder)).toEqual(['kernel-position']);
});

test('what is no position counts as none', () => {
  const position = new KernelPosition(folder, 'boot');
  for (const nothing of [Number.NaN, -1]) position.write(nothing);
  expect(readdirSync(folder)).toEqual([]);
  for (const text of ['', 'boot', 'boot ', 'boot x', 'boot -1', 'boot 1e9']) {
    writeFileSync(join(folder, 'kernel-position'), text);
    expect(position.read()).toBeUndefined();
  }
});
