import { expect, test } from 'vitest';
import { run } from './program.ts';

test('workers that end, exit, throw or are terminated in mid-watch leave no descriptor behind', () => {
  const { status, signal, stdout, stderr } = run('many-watches.ts');
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({ left: 0 });
});
