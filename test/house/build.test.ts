import { expect, test } from 'vitest';
import { build } from '../../scripts/build.ts';
import { publishedWorkspaces } from '../../scripts/workspaces.ts';

test('every published package builds', async () => {
  const { built, unchanged } = await build();
  const folders = publishedWorkspaces().map(({ folder }) => folder);
  expect([...built, ...unchanged]).toEqual(expect.arrayContaining(folders));
}, 600_000);
