import { expect, test } from 'vitest';
import { expectNothingLeft } from './leak.ts';

test('100,000 connections leave neither memory nor descriptors nor handles behind', {
  timeout: 3_600_000,
}, async () => {
  await expectNothingLeft(100_000);
  expect.assertions(3);
});
