import { expect, test } from 'vitest';
import { expectNothingLeft } from './leak.ts';

test('1,000 connections leave neither memory nor descriptors nor handles behind', {
  timeout: 900_000,
}, async () => {
  await expectNothingLeft(1000);
  expect.assertions(3);
});
