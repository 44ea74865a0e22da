import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cpio } from './cpio.ts';
import { toolPath } from './tool.ts';

test('an archive is what cpio unpacks', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-cpio-'));
  try {
    const archive = cpio([
      { type: 'file', path: 'a/b/odd', data: Buffer.from('123'), mode: 0o755 },
      { type: 'file', path: 'a/b/empty', data: Buffer.alloc(0) },
      { type: 'folder', path: 'a/b' },
      { type: 'folder', path: 'private', mode: 0o700 },
      { type: 'link', path: 'a/link', target: 'b/odd' },
      { type: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    ]);
    const { stdout, stderr, status } = spawnSync(toolPath('busybox'), ['cpio', '-tv'], {
      cwd: folder,
      input: archive,
    });
    expect(status, stderr.toString()).toBe(0);
    const members = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.replaceAll(/ +/g, ' '));
    expect(members.map((line) => line.replace(/ 1970-01-01 \S+/, ''))).toMatchInlineSnapshot(`
      [
        "drwxr-xr-x 0/0 0 a",
        "drwxr-xr-x 0/0 0 a/b",
        "-rwxr-xr-x 0/0 3 a/b/odd",
        "-rw-r--r-- 0/0 0 a/b/empty",
        "drwx------ 0/0 0 private",
        "lrwxrwxrwx 0/0 0 a/link -> b/odd",
        "drwxr-xr-x 0/0 0 dev",
        "crw------- 0/0 0 dev/console",
      ]
    `);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('every member and the whole are a multiple of 4 bytes, so that archives can be joined', () => {
  for (let length = 0; length < 9; length++) {
    const archive = cpio([{ type: 'file', path: 'f'.repeat(length + 1), data: Buffer.alloc(length) }]);
    expect(archive.length % 4).toBe(0);
    expect(archive.indexOf('070701', 6) % 4).toBe(0);
  }
});

test.each(['/absolute', 'a//b', '../up', 'a/./b', ''])('a path like %j is refused', (path) => {
  expect(() => cpio([{ type: 'folder', path }])).toThrow(/is not a plain relative path/);
});
