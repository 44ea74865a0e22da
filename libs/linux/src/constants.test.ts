import { constants as fsConstants } from 'node:fs';
import { expect, test } from 'vitest';
import { addon } from './addon.ts';
import { constants } from './constants.ts';

test('the constants are those of the addon, neither more nor fewer', () => {
  expect(constants).toEqual(addon.constants);
  expect(Object.isFrozen(constants)).toBe(true);
});

test('the constants that Node has, too, are the same', () => {
  const shared = Object.entries(fsConstants).filter(([name]) => /^(O|S)_/.test(name) && name in constants);
  expect(shared.length).toBeGreaterThan(20);
  expect(constants).toMatchObject(Object.fromEntries(shared));
});
