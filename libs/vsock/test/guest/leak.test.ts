import { expect, test } from 'vitest';
import { expectNothingLeft } from './leak.ts';

test('2,000 connections leave neither memory nor descriptors nor handles behind', async () => {
  await expectNothingLeft(2000);
  expect.assertions(3);
});
