import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as linux from '@vm-tools/linux';
import { Client, LockType, OpenFlags, type RemoteNode } from '@vm-tools/p9-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Outcome } from './confined/prisoner.ts';
import { Bench, type NineS } from './nine-s.ts';

const { AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM } = linux.constants;
const { EACCES, EINVAL, ENOSYS, EPERM, EXDEV } = linux.Errno;
const program = (file: string) => fileURLToPath(new URL(`confined/${file}`, import.meta.url));
const flags = ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'];
const all = () => `landlock abi ${landlockAbi()}, seccomp, no-new-privs`;

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clear());

function landlockAbi(): number {
  try {
    return linux.landlockAbi();
  } catch (cause) {
    const remedy = 'boot a kernel with CONFIG_SECURITY_LANDLOCK and landlock in lsm= (Debian 12 has both)';
    throw new Error(`this kernel has no Landlock: ${remedy}`, { cause });
  }
}

/** The threads of a process, each with these two lines of its status. */
function confinementOf({ child: { pid } }: NineS): { noNewPrivileges: string; seccomp: string }[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1');
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
    return { noNewPrivileges: field('NoNewPrivs'), seccomp: field('Seccomp') };
  });
}

async function attach(path = bench.socket): Promise<RemoteNode> {
  const client = await Client.connect({ stream: await bench.connect({ path }) });
  return await client.attach();
}

async function textOf(root: RemoteNode, path: string): Promise<string> {
  return new TextDecoder().decode(await root.readFile(path));
}

/** Shell words for NineS that make what follows run as if the kernel lacked a call. */
function without(call: linux.SystemCallName, errno: number): string {
  const words = [process.execPath, ...flags, program('without.ts'), call, String(errno)];
  return `set -- ${words.map((word) => `'${word}'`).join(' ')} "$@"`;
}

describe('code that has taken over 9s', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'vm-tools-9s-attempts-'));
  const addon = join(scratch, 'attempts.node');
  const threads = ['the main thread', 'an early worker', 'a late worker'];
  const ways = ['itself', 'a thread of its own', 'a thread of the pool'];

  beforeAll(() => {
    const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers') as {
      include_dir: string;
    };
    const options = '-shared -fPIC -O1 -pthread -Wall -Wextra -Werror -D_GNU_SOURCE'.split(' ');
    execFileSync('gcc', [...options, '-isystem', headers, program('attempts.c'), '-o', addon], {
      stdio: 'inherit',
    });
  });
  afterAll(() => rmSync(scratch, { recursive: true }));

  function attempts(mode: 'rw' | 'ro'): Record<string, Record<string, Outcome>> {
    const outside = join(bench.folder, 'outside');
    mkdirSync(outside);
    for (const name of ['file', 'moved', 'removed']) writeFileSync(join(outside, name), 'precious');
    writeFileSync(join(bench.root, 'file'), '');
    const args = [...flags, program('prisoner.ts'), addon, bench.root, outside, mode];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { inForce, results } = JSON.parse(stdout);
    expect(inForce).toEqual({ parts: all().split(', '), missing: [] });
    expect(readdirSync(outside).sort()).toEqual(['file', 'moved', 'removed']);
    expect(readdirSync(bench.root).sort()).toEqual(['file', 'hello']);
    return results;
  }

  const refused = (names: string, errno: number) =>
    Object.fromEntries(names.split(' ').map((name) => [name, errno]));
  const everywhere = {
    readInside: 0,
    listInside: 0,
    makeDeviceInside: EPERM,
    ...refused(
      'read readByProc readDotDot readProcess list write create createInTmp unlink mkdir symlink',
      EACCES,
    ),
    ...refused(
      'byHandle execve execveat fork ptrace readMemory signal pidfd limit setuid terminalInput',
      EPERM,
    ),
    ...refused('socketInet socketUnix socketNetlink socketPair connect bind send', EPERM),
    ...refused('unshare setns cloneNamespace mount fsopen openTree chroot pivotRoot', EPERM),
    ...refused('bpf perf userfaultfd ioUring keys module kexec reboot sharedMemory', EPERM),
    ...refused('clone3 callOfTomorrow', ENOSYS),
  };

  it('gets out of no thread, whether it was there before or came later', () => {
    const results = attempts('rw');
    expect(Object.keys(results)).toEqual(threads);
    for (const thread of threads) {
      expect(Object.keys(results[thread] ?? {}), thread).toEqual(ways);
      for (const [way, { link, linkOut, rename, ...outcome }] of Object.entries(results[thread] ?? {})) {
        const where = `${thread}: ${way}`;
        expect(outcome, where).toEqual({ ...everywhere, writeInside: 0, chmodInside: 0 });
        for (const errno of [link, linkOut, rename]) expect([EACCES, EXDEV], where).toContain(errno);
      }
    }
  });

  it('changes nothing at all when the directory is served read-only', () => {
    const results = attempts('ro');
    expect(Object.keys(results)).toEqual(threads);
    for (const thread of threads) {
      for (const [way, { link, linkOut, rename, ...outcome }] of Object.entries(results[thread] ?? {})) {
        const where = `${thread}: ${way}`;
        expect(outcome, where).toEqual({ ...everywhere, writeInside: EACCES, chmodInside: EPERM });
        for (const errno of [link, linkOut, rename]) expect([EACCES, EXDEV], where).toContain(errno);
      }
    }
  });
});

describe('9s tells at its start what is in force', () => {
  it.each([[[]], [['--sandbox', 'auto']], [['--sandbox', 'require']]])(
    'and it is, in every thread: %j',
    async (options) => {
      const nineS = await bench.serve([...options, '--threads', '1']);
      expect(nineS.stderr).toMatch(new RegExp(`^\\S+ 9s info: sandbox: ${all()}\\n`));
      // A client in a thread of its own and two that share one.
      for (let client = 0; client < 3; client++)
        expect(await textOf(await attach(), 'hello')).toBe('hello, guest\n');
      const threads = confinementOf(nineS);
      expect(threads.length).toBeGreaterThan(8);
      for (const thread of threads) expect(thread).toEqual({ noNewPrivileges: '1', seccomp: '2' });
      expect(await nineS.terminate()).toMatchObject({ code: 0, signal: null });
      expect(readdirSync(bench.folder)).toEqual(['root']);
    },
  );

  it('and that nothing is, when it is not wanted', async () => {
    const before = confinementOf({ child: process } as unknown as NineS)[0];
    const nineS = await bench.serve(['--sandbox', 'off']);
    expect(nineS.stderr).toContain('9s info: sandbox: off\n');
    for (const thread of confinementOf(nineS)) expect(thread).toEqual(before);
  });
});

describe('where the kernel lacks', () => {
  const lacks = [
    ['landlock_create_ruleset', ENOSYS, 'landlock (ENOSYS', 'seccomp, no-new-privs'],
    ['seccomp', EINVAL, 'seccomp (EINVAL', 'no-new-privs'],
  ] as const;

  it.each(lacks)('%s, 9s serves all the same and says so', async (call, errno, missing, rest) => {
    const args = ['--root', bench.root, bench.listen];
    const nineS = bench.start(args, { before: without(call, errno) });
    await nineS.logged('listening');
    expect(nineS.stderr).toContain('9s warn: sandbox: ');
    expect(nineS.stderr).toContain(`${rest}; without ${missing}`);
    expect(await textOf(await attach(), 'hello')).toBe('hello, guest\n');
    expect(await nineS.terminate()).toMatchObject({ code: 0 });
  });

  it.each(lacks)(
    '%s, 9s ends with 78 when it is required, and leaves no socket',
    async (call, errno, missing) => {
      const args = ['--root', bench.root, '--sandbox', 'require', bench.listen];
      const { code, stderr } = await bench.start(args, { before: without(call, errno) }).ended;
      expect(code).toBe(78);
      expect(stderr).toContain(`--sandbox require: there is no ${missing}`);
      expect(stderr).not.toContain('listening');
      expect(readdirSync(bench.folder)).toEqual(['root']);
    },
  );
});

describe('a 9s that is confined', () => {
  it('does for its clients whatever it did without', async () => {
    await bench.serve(['--sandbox', 'require']);
    const root = await attach();
    for (const name of ['a', 'b', 'b/c']) await root.mkdir(name);
    await root.writeFile('a/file', Buffer.from('text'));
    await root.link(await root.walk('a/file'), 'b/hard');
    await root.renameat('a/file', 'b/c/moved');
    await root.renameat('b/c', 'a/c');
    await root.symlink('/etc/passwd', 'a/link');
    await root.mknod('a/fifo', { mode: linux.constants.S_IFIFO | 0o600 });
    await root.mknod('a/socket', { mode: linux.constants.S_IFSOCK | 0o600 });
    await root.setattr('b/hard', { size: 2, mode: 0o640, mtime: { seconds: 1, nanoseconds: 2 } });
    await root.setxattr('b/hard', 'user.note', Buffer.from('x'));
    const file = await root.open('a/c/moved', { flags: OpenFlags.readWrite });
    expect(await file.lock({ type: LockType.write })).toBe(0);
    await file.fsync();
    await root.unlink('b/hard');
    await root.unlink('a/c/moved');
    expect(Buffer.from(await file.readToEnd()).toString()).toBe('te');
    expect(String(await root.readlink('a/link'))).toBe('/etc/passwd');
    await expect(root.mknod('a/null', { mode: linux.constants.S_IFCHR | 0o600 })).rejects.toMatchObject({
      code: 'EPERM',
    });
    await root.unlink('a/c', { directory: true });
    expect(readdirSync(join(bench.root, 'a')).sort()).toEqual(['fifo', 'link', 'socket']);
  });

  it('makes device nodes when it is told to', async () => {
    await bench.serve(['--sandbox', 'require', '--device-nodes']);
    const root = await attach();
    const made = root.mknod('null', { mode: linux.constants.S_IFCHR | 0o600, major: 1, minor: 3 });
    if (process.getuid?.() === 0) await made;
    else await expect(made).rejects.toMatchObject({ code: 'EPERM' });
    await root.mkdir('other');
    if (process.getuid?.() === 0) await root.renameat('null', 'other/null');
  });

  it('serves a root that is relative and a symlink, in the same process, with the same arguments', async () => {
    symlinkSync('root', join(bench.folder, 'link'));
    const args = ['--sandbox', 'require', '--root', 'link', '--max-connections=3', bench.listen];
    const nineS = bench.start(args, { before: `cd '${bench.folder}'; echo pid $$ >&2` });
    await nineS.logged('listening');
    expect(nineS.stderr).toContain(`pid ${nineS.child.pid}\n`);
    const words = readFileSync(`/proc/${nineS.child.pid}/cmdline`, 'utf8').split('\0');
    expect(words.slice(-args.length - 1, -1)).toEqual(args);
    expect(words.slice(0, 2)).toEqual([process.execPath, '--conditions=@vm-tools/source']);
    rmSync(join(bench.folder, 'link'));
    expect(await textOf(await attach(), 'hello')).toBe('hello, guest\n');
  });

  it('passes on what was in its environment, but for what was meant for it', async () => {
    const fd = linux.socket(AF_UNIX, linux.constants.SOCK_STREAM);
    linux.bind(fd, { family: 'unix', path: bench.socket });
    linux.listen(fd, 5);
    const nineS = bench.start(['--root', bench.root, '--sandbox', 'require'], {
      pass: [fd],
      env: { LISTEN_FDS: '1', LISTEN_FDNAMES: 'a', NODE_OPTIONS: '--max-old-space-size=99', OF_OURS: 'é\n=' },
      before: 'LISTEN_PID=$$; export LISTEN_PID',
    });
    linux.close(fd);
    await nineS.logged('listening');
    const environment = readFileSync(`/proc/${nineS.child.pid}/environ`, 'utf8').split('\0');
    expect(environment).toEqual(
      expect.arrayContaining(['NODE_OPTIONS=--max-old-space-size=99', 'OF_OURS=é\n=']),
    );
    expect(environment.filter((variable) => variable.startsWith('LISTEN_'))).toEqual([]);
    expect(await textOf(await attach(), 'hello')).toBe('hello, guest\n');
  });

  it('tells a service manager in the abstract namespace that it is ready, and that it ends', async () => {
    const name = `vm-tools-9s-notify-${process.pid}`;
    const fd = linux.socket(AF_UNIX, SOCK_DGRAM);
    try {
      linux.bind(fd, { family: 'unix-abstract', name });
      const buffer = Buffer.alloc(1000);
      const received = () => {
        const length = linux.recv(fd, buffer, 0, buffer.length, MSG_DONTWAIT);
        return length < 0 ? undefined : buffer.toString('utf8', 0, length);
      };
      const env = { NOTIFY_SOCKET: `@${name}` };
      const nineS = bench.start(['--root', bench.root, '--sandbox', 'require', bench.listen], { env });
      const ready = await vi.waitUntil(received, { timeout: 90_000 });
      expect(ready).toBe(`READY=1\nSTATUS=serving ${bench.root} on ${bench.listen}`);
      expect(await nineS.terminate()).toMatchObject({ code: 0 });
      expect(received()).toBe('STOPPING=1');
    } finally {
      linux.close(fd);
    }
  });
});
