import { lstatSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Folder } from '../test/fake-vm.ts';
import { hybridListenerPath, makeVmDirectory, runtimeDirectory, vmDirectory, vmSocketPath } from './index.ts';

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder[Symbol.asyncDispose]());

describe('the runtime directory', () => {
  it('is named by its variable, else that of root or of the user', () => {
    const user = { XDG_RUNTIME_DIR: '/run/user/1000' };
    expect(runtimeDirectory({ VM_TOOLS_RUNTIME_DIR: '/x', ...user })).toBe('/x');
    const getuid = vi.spyOn(process as { getuid: () => number }, 'getuid');
    getuid.mockReturnValue(0);
    expect(runtimeDirectory(user)).toBe('/run/vm-tools');
    getuid.mockReturnValue(1000);
    expect(runtimeDirectory(user)).toBe('/run/user/1000/vm-tools');
    expect(() => runtimeDirectory({})).toThrow(
      'cannot use the runtime directory: neither variable is set that names it; set VM_TOOLS_RUNTIME_DIR',
    );
  });

  it('has a directory for each VM, with the names of hybrid vsock', () => {
    expect(vmDirectory(3, '/r')).toBe('/r/vsock/3');
    expect(vmSocketPath(3, '/r')).toBe('/r/vsock/3/sock');
    expect(hybridListenerPath(vmSocketPath(3, '/r'), 1024)).toBe('/r/vsock/3/sock_1024');
  });

  it('makes directories that nobody else can enter, whatever the umask', () => {
    const umask = process.umask(0);
    try {
      expect(makeVmDirectory(3, join(folder.path, 'new'))).toBe(`${folder.path}/new/vsock/3`);
    } finally {
      process.umask(umask);
    }
    for (const path of ['new/vsock', 'new/vsock/3']) {
      expect(lstatSync(join(folder.path, path)).mode & 0o777, path).toBe(0o700);
    }
    expect(makeVmDirectory(3, join(folder.path, 'new'))).toBe(`${folder.path}/new/vsock/3`);
  });

  it('does not follow a link that someone put there', () => {
    makeVmDirectory(3, folder.path);
    symlinkSync('3', vmDirectory(4, folder.path));
    expect(() => makeVmDirectory(4, folder.path)).toThrow(`${folder.path}/vsock/4 is not a directory`);
  });
});
