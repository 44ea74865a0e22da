import { expect, test } from 'vitest';
import { prepareGuest, runInGuest } from '../src/index.ts';

test('a guest with Debian packages and Node.js runs both, and gives files back', async () => {
  const contents = { packages: ['git'], node: true };
  const result = await runInGuest({
    ...contents,
    files: { '/opt/hello.mjs': Buffer.from('console.log(process.release.name, process.argv[2])') },
    script: `
      set -e
      node /opt/hello.mjs "$WORD"
      cd /root && git init -q repository && cd repository
      cat > file && git add file && git -c user.name=x -c user.email=x@example.org commit -qm 'A message'
      git log --format=%s > /root/log
      exit 5`,
    input: 'content\n',
    env: { WORD: 'grüezi' },
    collect: ['/root/log', '/root/repository/file'],
  });
  expect(result).toMatchObject({ status: 5, signal: null, stdout: 'node grüezi\n' });
  expect(result.files['/root/log']?.toString()).toBe('A message\n');
  expect(result.files['/root/repository/file']?.toString()).toBe('content\n');
  expect(result.console).toContain('\n');
});

test('what a guest writes to its root is gone at the next boot', async () => {
  const guest = { packages: ['git'], node: true };
  expect(await runInGuest({ ...guest, script: 'echo x > /usr/bin/new; sync' })).toMatchObject({ status: 0 });
  expect(await runInGuest({ ...guest, script: 'ls /usr/bin/new' })).toMatchObject({ status: 1 });
});

test('a package that is not there is told by its name', async () => {
  await expect(prepareGuest({ packages: ['no-such-package-at-all'] })).rejects.toMatchObject({
    name: 'ToolError',
    message: expect.stringContaining('no-such-package-at-all'),
  });
});

test('boots on a q35 too', async () => {
  const { rootDisk } = await prepareGuest({ machine: 'q35' });
  expect(rootDisk).toBeUndefined();
  const result = await runInGuest({ machine: 'q35', cpus: 2, script: 'nproc; cat /proc/cmdline' });
  expect(result.stdout).toMatch(/^2\nconsole=ttyS0/);
});
