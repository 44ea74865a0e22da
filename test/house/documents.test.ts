import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { publishedWorkspaces, repository } from '../../scripts/workspaces.ts';

const documents = globSync(
  [
    '*.md',
    'docs/**/*.md',
    '.changeset/*.md',
    '{libs,services,examples}/*/*.md',
    'guest/*.md',
    'benchmarks/*.md',
  ],
  {
    cwd: repository,
    exclude: ['docs/api/**', '**/node_modules/**'],
  },
).sort();

test.each(documents)('%s links to files that exist', (file) => {
  const text = readFileSync(join(repository, file), 'utf8').replace(/```[\s\S]*?```/g, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  const broken = links
    .filter((link) => !/^(https?:|mailto:|#)/.test(link))
    .filter((link) => !existsSync(join(repository, dirname(file), link.replace(/#.*$/, ''))));
  expect(broken).toEqual([]);
});

test('the README of the repository names every package that is published', () => {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  const missing = publishedWorkspaces().filter(({ manifest }) => !readme.includes(`\`${manifest.name}\``));
  expect(missing.map(({ manifest }) => manifest.name)).toEqual([]);
});

test('the API documentation is built without a warning', () => {
  const { status, stdout, stderr } = spawnSync('typedoc', ['--emit', 'none'], {
    cwd: repository,
    encoding: 'utf8',
  });
  expect(status, stdout + stderr).toBe(0);
});
