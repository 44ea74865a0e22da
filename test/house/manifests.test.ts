import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { publishedWorkspaces, repository, workspaces } from '../../scripts/workspaces.ts';

const names = new Map(workspaces().map(({ manifest }) => [manifest.name, manifest]));

describe.each(publishedWorkspaces().map(({ folder }) => folder))('%s/package.json', (folder) => {
  const text = readFileSync(join(repository, folder, 'package.json'), 'utf8');
  const manifest = JSON.parse(text) as Record<string, unknown>;

  test('says what every published package says', () => {
    expect(manifest).toMatchObject({
      name: `@vm-tools/${packageName(folder)}`,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      description: expect.stringMatching(/^\S.{20,}[^.]$/),
      license: 'Apache-2.0',
      type: 'module',
      repository: { type: 'git', url: 'git+https://github.com/vm-tools/vm-tools.git', directory: folder },
      engines: { node: '>=22.12' },
      files: expect.arrayContaining(['dist', 'CHANGELOG.md']),
      publishConfig: { access: 'public', provenance: true },
    });
  });

  test('runs nothing when it is installed', () => {
    const scripts = Object.keys((manifest['scripts'] ?? {}) as object);
    const hooks = [
      'preinstall',
      'install',
      'postinstall',
      'prepare',
      'prepublish',
      'preprepare',
      'postprepare',
    ];
    expect(scripts.filter((script) => hooks.includes(script))).toEqual([]);
    // npm compiles what has a binding.gyp, unless it is told not to.
    if (existsSync(join(repository, folder, 'binding.gyp'))) expect(manifest['gypfile']).toBe(false);
  });

  test('depends on the other packages in versions that those here satisfy', () => {
    const all = ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((kind) =>
      Object.entries((manifest[kind] ?? {}) as Record<string, string>),
    );
    for (const [name, range] of all) {
      if (!name.startsWith('@vm-tools/')) continue;
      const { version = '', private: isPrivate = false } = names.get(name) ?? {};
      expect(isPrivate, `${name} is not published`).toBe(false);
      expect(isInCaretRange(version, range), `${name} is ${version}, not ${range}`).toBe(true);
    }
  });
});

/** That of the folder; of a daemon whose library has that name, the daemon's. */
function packageName(folder: string): string {
  const name = folder.replace(/^.*\//, '');
  const hasLibrary = folder.startsWith('services/') && existsSync(join(repository, 'libs', name));
  return hasLibrary ? `${name}-daemon` : name;
}

test.each([
  ['0.1.0', '^0.1.0', true],
  ['0.1.7', '^0.1.2', true],
  ['0.2.0', '^0.1.0', false],
  ['0.1.1', '^0.1.2', false],
  ['1.4.0', '^1.3.9', true],
  ['2.0.0', '^1.3.9', false],
  ['1.0.0', '1.0.0', false],
])('version %s in range %s: %s', (version, range, expected) => {
  expect(isInCaretRange(version, range)).toBe(expected);
});

/** The only kind of range that packages here use for each other. */
function isInCaretRange(version: string, range: string): boolean {
  if (!/^\^\d+\.\d+\.\d+$/.test(range)) return false;
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const [least = 0, leastMinor = 0, leastPatch = 0] = range.slice(1).split('.').map(Number);
  if (major !== least) return false;
  if (minor !== leastMinor) return major > 0 && minor > leastMinor;
  return patch >= leastPatch;
}
