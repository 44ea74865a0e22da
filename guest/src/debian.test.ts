import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { completeRoot, parseSimulation } from './debian.ts';

test('what apt would install is read from its simulation', () => {
  const output = `NOTE: This is only a simulation!
Inst gcc-12-base (12.2.0-14+deb12u1 Debian:12.15/oldstable [amd64])
Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64]) []
Inst git-man (1:2.39.5-0+deb12u3 Debian:12.15/oldstable [all])
Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])
`;
  expect(parseSimulation(output)).toEqual([
    { name: 'gcc-12-base', version: '12.2.0-14+deb12u1' },
    { name: 'libc6', version: '2.36-9+deb12u14' },
    { name: 'git-man', version: '1:2.39.5-0+deb12u3' },
  ]);
});

test('/usr is merged: what packages have in /bin and /lib is in /usr, and found under both names', async () => {
  const root = mkdtempSync(join(tmpdir(), 'vm-tools-root-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const path of [
    'bin/sh',
    'usr/bin/env',
    'lib/x86_64-linux-gnu/libc.so.6',
    'usr/lib/x86_64-linux-gnu/libz.so.1',
  ]) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), path);
  }
  symlinkSync('libc.so.6', join(root, 'lib/x86_64-linux-gnu/libc.so'));
  await completeRoot(root);
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    expect(readlinkSync(join(root, name))).toBe(`usr/${name}`);
  for (const path of ['bin/sh', 'bin/env', 'lib/x86_64-linux-gnu/libz.so.1'])
    expect(existsSync(join(root, path)), path).toBe(true);
  expect(readFileSync(join(root, 'lib/x86_64-linux-gnu/libc.so'), 'utf8')).toBe(
    'lib/x86_64-linux-gnu/libc.so.6',
  );
  expect(existsSync(join(root, 'proc'))).toBe(true);
});
