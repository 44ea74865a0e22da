import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository } from './workspaces.ts';

test('the demo prints what the README shows', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning', 'scripts/demo.ts'],
    { cwd: repository, encoding: 'utf8', timeout: 600_000 },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const shown = /The demo prints\n\n```text\n([\s\S]*?)```/.exec(
    readFileSync(join(repository, 'README.md'), 'utf8'),
  )?.[1];
  expect(shown).toBeDefined();
  expect(withoutWhatVaries(stdout)).toBe(withoutWhatVaries(shown as string));
}, 600_000);

/** Times, those of the guest's kernel too, process ids, names of reports, what a compiler made, owners, temporary folders, where the repository is, and the kernel that Debian has today. */
function withoutWhatVaries(text: string): string {
  return text
    .replaceAll(/^ *\d+\.\d s/gm, 'TIME')
    .replaceAll(/^( +-rw-r--r-- +1 )\S+ +\S+( +\d+ )\w+ +\d+ \S+/gm, '$1OWNER$2DATE')
    .replaceAll(/(process|thread|Process:) +\d+/g, '$1 PID')
    .replaceAll(/vm_crash\.[\d.]+(?=\.dmp)/g, 'vm_crash.NAME')
    .replaceAll(/\/opt\/editor\+0x[0-9a-f]+/g, '/opt/editor+OFFSET')
    .replaceAll(/\[ *\d+\.\d{6}\]/g, '[TIME]')
    .replaceAll(/vm-tools-demo-\w+/g, 'vm-tools-demo-XXXXXX')
    .replaceAll(/(ln -s )\S+/g, '$1REPOSITORY')
    .replaceAll(/^( +)\w{3} [ \d]\d [\d:]{8}(?= <)/gm, '$1DATE')
    .replaceAll(/(Linux (?:version )?)\d\S+/g, '$1RELEASE');
}
