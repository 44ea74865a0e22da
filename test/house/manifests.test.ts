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
      name: `@vm-tools/${folder.replace(/^.*\//, '')}`,
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

  test('depends on the other packages in the versions that they have', () => {
    const all = ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((kind) =>
      Object.entries((manifest[kind] ?? {}) as Record<string, string>),
    );
    for (const [name, range] of all) {
      if (!name.startsWith('@vm-tools/')) continue;
      expect({ name, range, private: names.get(name)?.private ?? false }).toEqual({
        name,
        range: `^${names.get(name)?.version}`,
        private: false,
      });
    }
  });
});
