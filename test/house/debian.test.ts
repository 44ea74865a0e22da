import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { debian } from '../../scripts/debian.mjs';
import { repository } from '../../scripts/workspaces.ts';

/** What a compiler brings along by whatever name its release has. */
const implied = ['binutils', 'libgcc-12-dev', 'libasan8'];

/** What the remedies in our own messages tell people to install: `apt-get install a b`. */
function remedies(pattern: string): { file: string; name: string }[] {
  return globSync(pattern, { cwd: repository, exclude: ['**/node_modules', '**/dist'] }).flatMap((file) =>
    [
      ...readFileSync(join(repository, file), 'utf8').matchAll(
        /apt-get install (?:-\S+ )*((?:[a-z0-9][a-z0-9+.-]+ ?)+)/g,
      ),
    ]
      .flatMap((match) => (match[1] ?? '').trim().split(' '))
      .map((name) => ({ file, name: name.replace(/\.$/, '') })),
  );
}

test('whatever our tests tell people to install, npm test installs by itself', () => {
  const known = [...Object.values(debian).flat(), ...implied];
  const unknown = ['libs', 'services', 'guest', 'examples', 'benchmarks']
    .flatMap((folder) => remedies(`${folder}/**/*.{ts,mjs}`))
    .filter(({ name }) => !known.includes(name));
  expect(unknown, 'remedy: add it to scripts/debian.mjs').toEqual([]);
});
