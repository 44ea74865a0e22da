import { expect, test } from 'vitest';
import { run } from './program.ts';

interface Growth {
  readonly family: string;
  readonly bytes: number;
  readonly descriptors: number;
}

test('100,000 calls of each family leave neither memory nor descriptors behind', () => {
  const { status, stdout, stderr } = run('every-family.ts', {
    flags: ['--expose-gc', '--max-semi-space-size=1'],
    args: ['100000'],
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const families = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Growth);
  expect(families).toHaveLength(16);
  for (const { family, bytes, descriptors } of families) {
    expect(descriptors, `descriptors left by ${family}`).toBe(0);
    expect(bytes, `bytes left by ${family}`).toBeLessThan(2 ** 20); // ten bytes a call
  }
});
