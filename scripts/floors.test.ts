import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { brokenFloors, floorOf } from './floors.ts';

/** A small repository that breaks nothing; each test breaks one thing in it. */
const sound: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    workspaces: ['libs/*', 'services/*', 'guest'],
    devDependencies: { vitest: '*' },
  }),
  'libs/linux/src/index.ts': 'export const openat = (): number => 0;',
  'libs/vsock/src/index.ts': "export { openat } from '@vm-tools/linux';",
  'libs/p9-protocol/src/index.ts':
    "export { decode } from './decode.ts';\nexport type { Host } from './host/index.ts';",
  'libs/p9-protocol/src/decode.ts': 'export const decode = 1;',
  'libs/p9-protocol/src/host/index.ts':
    "import { openat } from '@vm-tools/linux';\nimport 'node:fs';\nexport type Host = typeof openat;",
  'libs/syslog/src/index.ts': 'export const parse = 1;',
  'libs/syslog/src/parse.test.ts': "import 'vitest';\nimport '@vm-tools/guest';\nimport './index.ts';",
  'libs/vmm/src/index.ts': "export * from '@vm-tools/p9-protocol';",
  'services/9s/src/index.ts':
    "import '@vm-tools/vmm';\nimport { decode } from '@vm-tools/p9-protocol';\nvoid decode;",
  'services/seneschal/src/index.ts': "import '@vm-tools/linux';",
  'guest/src/index.ts': "import '@vm-tools/vmm';",
  'node_modules/vitest/package.json': '{"name":"vitest","main":"index.js"}',
  'node_modules/vitest/index.js': '',
};

const dependencies: Readonly<Record<string, object>> = {
  'libs/vsock': { dependencies: { '@vm-tools/linux': '*' } },
  'libs/p9-protocol': { optionalDependencies: { '@vm-tools/linux': '*' } },
  'libs/syslog': { devDependencies: { '@vm-tools/guest': '*' } },
  'libs/vmm': { dependencies: { '@vm-tools/p9-protocol': '*', '@vm-tools/9s': '*' } },
  'services/9s': { dependencies: { '@vm-tools/vmm': '*', '@vm-tools/p9-protocol': '*' } },
  'services/seneschal': { dependencies: { '@vm-tools/linux': '*', '@vm-tools/9s': '*' } },
  guest: { private: true, dependencies: { '@vm-tools/vmm': '*' } },
};

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vm-tools-floors-'));
  for (const [file, text] of Object.entries(sound)) write(file, text);
  const folders = new Set(Object.keys(sound).flatMap((file) => /^(.*)\/src\//.exec(file)?.[1] ?? []));
  for (const folder of folders) addPackage(folder, dependencies[folder]);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${text}\n`);
}

function addPackage(folder: string, more: object = {}): void {
  const name = `@vm-tools/${folder.replace(/^.*\//, '')}`;
  const exports = {
    '.': { '@vm-tools/source': './src/index.ts', default: './dist/index.js' },
    './host': { '@vm-tools/source': './src/host/index.ts' },
  };
  write(
    `${folder}/package.json`,
    JSON.stringify({ name, version: '0.0.0', type: 'module', exports, ...more }),
  );
  mkdirSync(join(root, 'node_modules/@vm-tools'), { recursive: true });
  symlinkSync(join(root, folder), join(root, 'node_modules', name));
}

describe('the floors', () => {
  test('hold in a sound tree', async () => {
    expect(await brokenFloors(root)).toEqual([]);
  });

  test.each([
    [
      'a lower floor imports a higher one',
      'libs/linux/src/index.ts',
      "import '../../syslog/src/index.ts';",
      /floor 1, below/,
    ],
    [
      'two of one floor import each other',
      'libs/syslog/src/index.ts',
      "import '../../p9-protocol/src/index.ts';",
      /on floor 2/,
    ],
    [
      'the one exception is turned round',
      'libs/linux/src/index.ts',
      "import '../../vsock/src/index.ts';",
      /on floor 1/,
    ],
    [
      'a service imports a service',
      'services/seneschal/src/index.ts',
      "import '@vm-tools/9s';",
      /on floor 4/,
    ],
    [
      'a service imports a service for its types',
      'services/seneschal/src/index.ts',
      "import type {} from '@vm-tools/9s';",
      /on floor 4/,
    ],
    [
      'a library imports a service',
      'libs/vmm/src/index.ts',
      "await import('@vm-tools/9s');",
      /below services\/9s/,
    ],
    [
      'what is published imports the guest',
      'libs/vmm/src/index.ts',
      "import '../../../guest/src/index.ts';",
      /nothing of guest\//,
    ],
    [
      'what is published imports scripts',
      'libs/vmm/src/index.ts',
      "import '../../../scripts/x.ts';",
      /nothing of scripts\//,
    ],
    [
      'a workspace is not declared',
      'libs/vmm/src/index.ts',
      "import '@vm-tools/linux';",
      /"@vm-tools\/linux" is not among/,
    ],
    [
      'what is shipped needs a development dependency',
      'libs/vmm/src/index.ts',
      "import 'vitest';",
      /development alone/,
    ],
    [
      'a test imports what nobody declared',
      'libs/syslog/src/parse.test.ts',
      "import '@vm-tools/vmm';",
      /is not among/,
    ],
    ['a file is not there', 'libs/vmm/src/index.ts', "import './gone.ts';", /no such module/],
    [
      'the browser door reaches Node',
      'libs/p9-protocol/src/decode.ts',
      "import 'node:buffer';",
      /index\.ts -> .*decode\.ts -> .*buffer: .* browser/,
    ],
    [
      'the browser door reaches the host folder',
      'libs/p9-protocol/src/decode.ts',
      "import './host/index.ts';",
      /must work in a browser/,
    ],
  ])('are broken when %s', async (_, file, text, message) => {
    write('scripts/x.ts', 'export {};');
    write(file, text);
    expect((await brokenFloors(root)).join('\n')).toMatch(message);
  });

  test('are broken by a cycle, which is told once', async () => {
    write('libs/syslog/src/index.ts', "import { a } from './a.ts';\nexport const b = () => a;");
    write('libs/syslog/src/a.ts', "import { b } from './index.ts';\nexport const a = () => b;");
    expect((await brokenFloors(root)).filter((line) => line.includes('a cycle'))).toHaveLength(1);
  });

  test('are broken by a library that has no floor', async () => {
    write('libs/novelty/src/index.ts', 'export {};');
    addPackage('libs/novelty');
    expect(await brokenFloors(root)).toEqual([expect.stringMatching(/^libs\/novelty stands on no floor/)]);
  });

  test('are counted from 1, services highest', () => {
    expect(['libs/linux', 'libs/pstore', 'libs/vmm', 'services/9s', 'guest'].map(floorOf)).toEqual([
      1,
      2,
      3,
      4,
      undefined,
    ]);
  });
});
