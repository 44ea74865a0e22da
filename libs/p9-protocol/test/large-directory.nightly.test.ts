import { test } from 'vitest';
import { listWhileItChanges } from './large-directory.ts';

test('100,000 entries are listed once each, though others come and go, and from any of their cookies anew', async () => {
  await listWhileItChanges(100_000);
});
