import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { runInGuest } from '@vm-tools/guest';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../../scripts/build.ts';
import { publishedWorkspaces, repository, type Workspace } from '../../scripts/workspaces.ts';
import { Consumer, closureOf, npm, pack } from './consumer.ts';
import { nodeBinary, nodeReleases } from './node-releases.ts';
import { installsOf, programsOf } from './readme.ts';

const tarballs = new Map<string, { file: string; contents: string[] }>();
const attw = join(repository, 'node_modules/@arethetypeswrong/cli/dist/index.js');
let packed: string;

beforeAll(() => {
  packed = mkdtempSync(join(tmpdir(), 'vm-tools-packed-'));
});

afterAll(() => rmSync(packed, { recursive: true, force: true }));

/** Packed when first asked for: what cannot be packed fails the packages that need it, and no others. */
function tarballOf(workspace: Workspace): { file: string; contents: string[] } {
  const known = tarballs.get(workspace.folder);
  if (known) return known;
  const tarball = pack(workspace, packed);
  tarballs.set(workspace.folder, tarball);
  return tarball;
}

/** What a program imports: the package itself and its subpaths, without files like `./package.json`. */
function doorsOf({ manifest }: Workspace): string[] {
  return Object.entries(manifest.exports ?? {})
    .filter(([, target]) => typeof target === 'object')
    .map(([subpath]) => manifest.name + subpath.slice(1));
}

function commandsOf({ manifest }: Workspace): string[] {
  return typeof manifest.bin === 'string' ? [basename(manifest.name)] : Object.keys(manifest.bin ?? {});
}

describe.each(publishedWorkspaces().map((workspace) => [workspace.manifest.name, workspace] as const))(
  '%s',
  (name, workspace) => {
    const { folder } = workspace;
    const readmeFile = join(repository, folder, 'README.md');
    const readme = existsSync(readmeFile) ? readFileSync(readmeFile, 'utf8') : '';
    const programs = programsOf(readme);
    const doors = doorsOf(workspace);
    const commands = commandsOf(workspace);
    let consumer: Consumer;

    beforeAll(async () => {
      consumer = new Consumer();
      const wanted = installsOf(readme);
      const ours = publishedWorkspaces().filter((each) => wanted.includes(each.manifest.name));
      const packages = [...new Set([workspace, ...ours].flatMap(closureOf))];
      await build(packages.map((each) => each.folder));
      const files = packages.map((each) => tarballOf(each).file);
      consumer.install([...files, ...wanted.filter((each) => !each.startsWith('@vm-tools/'))]);
      for (const [index, { source }] of programs.entries()) consumer.write(`readme-${index}.mts`, source);
    });

    afterAll(() => consumer[Symbol.dispose]());

    test('would be published without a warning', () => {
      const { status, output } = npm(['publish', '--dry-run'], join(repository, folder));
      const warnings = output
        .split('\n')
        .filter((line) => /^npm (warn|error)/i.test(line) && !line.includes('requires you to be logged in'));
      expect(warnings).toEqual([]);
      expect(status, output).toBe(0);
    });

    test('carries its documents and licence, and no sources or tests', () => {
      const { contents } = tarballOf(workspace);
      expect(contents).toEqual(
        expect.arrayContaining(['README.md', 'CHANGELOG.md', 'LICENSE', 'package.json']),
      );
      expect(
        contents.filter((file) =>
          /(^|\/)(test|src|\.cache|node_modules)\/|(?<!\.d)\.[mc]?ts$|\.(tsbuildinfo|sha256|o)$/.test(file),
        ),
      ).toEqual([]);
      expect(readFileSync(join(repository, folder, 'LICENSE'))).toEqual(
        readFileSync(join(repository, 'LICENSE')),
      );
    });

    test('is clean to publint', async () => {
      const { buffer, byteOffset, length } = readFileSync(tarballOf(workspace).file);
      const tarball = buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer;
      const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
      expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
    });

    test('has a README that says how to install it', () => {
      expect(installsOf(readme)).toContain(name);
    });

    if (doors.length > 0) {
      test('has types that every resolution finds', () => {
        const flags = ['--profile=node16', '--no-definitely-typed', '--no-emoji', '--no-color'];
        const { status, stdout, stderr } = spawnSync(
          process.execPath,
          [attw, tarballOf(workspace).file, ...flags],
          { encoding: 'utf8' },
        );
        expect(status, stdout + stderr).toBe(0);
      });

      test('has a README whose programs compile against what is installed', () => {
        expect(programs.length, 'programs in README.md').toBeGreaterThan(0);
        const { status, output } = consumer.compile();
        expect(status, output).toBe(0);
      });
    }

    for (const [index, { line, kind, modules, output }] of programs.entries()) {
      if (kind !== 'guest') continue;
      test(`the program on line ${line} of its README runs in a guest`, async () => {
        const { status, stdout, stderr } = await runInGuest({
          node: true,
          modules,
          files: { '/consumer': consumer.folder },
          script: `cd /consumer && exec node readme-${index}.mjs`,
        });
        expect(status, stderr + stdout).toBe(0);
        if (output !== undefined) expect(stdout.trimEnd()).toBe(output.trimEnd());
      });
    }

    describe.each(nodeReleases)('on Node %s', (release) => {
      let node: string;
      beforeAll(() => {
        node = nodeBinary(release);
      });

      test.each(doors)('%s is imported and required, with the same names', (door) => {
        const names =
          'console.log(JSON.stringify(Object.keys(door).filter((name) => name !== "module.exports").sort()))';
        const esm = `import * as door from '${door}'; ${names}`;
        const cjs = `const door = require('${door}'); ${names}`;
        const imported = consumer.run(node, ['--input-type=module', '-e', esm]);
        const required = consumer.run(node, ['--input-type=commonjs', '-e', cjs]);
        expect(imported).toMatchObject({ status: 0, stderr: '' });
        expect(required).toMatchObject({ status: 0, stderr: '' });
        expect(JSON.parse(imported.stdout)).not.toEqual([]);
        expect(JSON.parse(required.stdout)).toEqual(JSON.parse(imported.stdout));
      });

      test.each(commands)('the command %s tells its version and its use', (command) => {
        const file = join(consumer.folder, 'node_modules/.bin', command);
        const version = consumer.run(node, [file, '--version']);
        expect(version).toMatchObject({ status: 0, stderr: '' });
        expect(version.stdout).toContain(consumer.installed(name).version);
        expect(consumer.run(node, [file, '--help'])).toMatchObject({ status: 0, stderr: '' });
      });

      for (const [index, { line, kind, output }] of programs.entries()) {
        if (kind !== 'run') continue;
        test(`the program on line ${line} of its README runs`, () => {
          const { status, stdout, stderr } = consumer.run(node, [`readme-${index}.mjs`]);
          expect(status, stderr + stdout).toBe(0);
          if (output !== undefined) expect(stdout.trimEnd()).toBe(output.trimEnd());
        });
      }
    });
  },
);

test('all packages together are imported in a guest that has Node and nothing else', async () => {
  using consumer = new Consumer();
  const all = publishedWorkspaces();
  await build(all.map(({ folder }) => folder));
  consumer.install(all.map((workspace) => tarballOf(workspace).file));
  const doors = all.flatMap(doorsOf);
  consumer.write(
    'import-all.mjs',
    `for (const door of ${JSON.stringify(doors)}) console.log(door, Object.keys(await import(door)).length > 0);`,
  );
  const { status, stdout, stderr } = await runInGuest({
    node: true,
    files: { '/consumer': consumer.folder },
    script: 'cd /consumer && exec node import-all.mjs',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toBe(doors.map((door) => `${door} true\n`).join(''));
});
