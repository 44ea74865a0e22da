import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  ProgramNotFoundError,
  type StartOptions,
  startVm,
  type Vm,
  VmExitedError,
  type VmOptions,
} from '../src/index.ts';
import { echoKernel } from './echo-kernel.ts';

let folder: string;
let kernel: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-vmm-'));
  kernel = join(folder, 'kernel');
  writeFileSync(kernel, echoKernel());
});

afterAll(() => rmSync(folder, { recursive: true }));

async function start(options: Partial<VmOptions & StartOptions> = {}): Promise<Vm> {
  const vm = await startVm({ kernel, memory: 64, ...options });
  onTestFinished(async () => void (await vm.kill()));
  return vm;
}

/** A program in QEMU's place. It has the same descriptors: 3 is QMP, 4 the console. */
function fakeQemu(script: string): string {
  const path = join(folder, `qemu-${Math.random().toString(36).slice(2)}`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

const answersQmp = `echo '{"QMP": {}}' >&3; read command <&3; echo '{"return": {}, "id": 0}' >&3;`;

/** Whether the process is there, other than as a zombie that its parent has yet to take notice of. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('a VM', () => {
  test('runs its kernel, is typed to, and ends by itself', async () => {
    const vm = await start();
    expect(await vm.qmp.execute('query-status')).toMatchObject({ status: 'running' });
    expect(await vm.console.waitFor('ready', { timeoutMs: 90_000 })).toBe('ready');
    const events = vm.qmp.events();
    vm.console.write('hello\n');
    expect(await vm.console.waitFor('hello', { timeoutMs: 90_000 })).toBe('hello');
    expect(vm.exit).toBeUndefined();
    vm.console.write('q');
    expect(await vm.exited).toEqual({ code: 0, signal: null });
    const names: string[] = [];
    for await (const { event } of events) names.push(event);
    expect(names).toContain('SHUTDOWN');
    expect(vm.exit).toEqual({ code: 0, signal: null });
    expect(vm.console.text).toContain('ready\nhello\n');
    await expect(vm.qmp.execute('query-status')).rejects.toMatchObject({ errorClass: 'Closed' });
  });

  test('starts with stopped CPUs when asked to', async () => {
    const vm = await start({ paused: true });
    expect(await vm.qmp.execute('query-status')).toMatchObject({ running: false });
    await vm.qmp.execute('cont');
    await vm.console.waitFor('ready', { timeoutMs: 90_000 });
  });

  test('has ports: a stream of ours, or Unix sockets', async () => {
    const at = join(folder, 'at.sock');
    const vm = await start({ ports: [{ name: 'agent' }, { name: 'at', listen: at }] });
    const peer = connect(at);
    await once(peer, 'connect');
    peer.destroy();
    expect(vm.port('agent').writable).toBe(true);
    expect(() => vm.port('at')).toThrow(/no port "at" with a stream; the VM has: agent/);
    await vm.stop();
    expect(existsSync(at)).toBe(false);
    expect(vm.port('agent').writable).toBe(false);
  });

  test('is stopped by QMP, once, however often it is asked', async () => {
    const vm = await start();
    const [first, second] = await Promise.all([vm.stop(), vm.stop()]);
    expect(first).toEqual({ code: 0, signal: null });
    expect(second).toBe(first);
    expect(isRunning(vm.pid)).toBe(false);
    expect(await vm.stop()).toBe(first);
  });

  test('is ended with the block that it was made for, and leaves no descriptor', async () => {
    const before = descriptors();
    let pid: number;
    {
      await using vm = await start({ ports: [{ name: 'agent' }] });
      pid = vm.pid;
      expect(isRunning(pid)).toBe(true);
    }
    expect(isRunning(pid)).toBe(false);
    await expect.poll(descriptors).toBeLessThanOrEqual(before);
  });

  test('is killed when its signal fires', async () => {
    const abort = new AbortController();
    const vm = await start({ signal: abort.signal });
    abort.abort();
    expect(await vm.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('is pressed first, when its guest listens to the power button', async () => {
    const vm = await start();
    const events = vm.qmp.events();
    const stopped = vm.stop({ powerdownMs: 100 });
    const names: string[] = [];
    for await (const { event } of events) names.push(event);
    expect(names[0]).toBe('POWERDOWN');
    expect(names.at(-1)).toBe('SHUTDOWN');
    expect(await stopped).toEqual({ code: 0, signal: null });
  });

  test('is killed in the end when it heeds nothing', async () => {
    const deaf = fakeQemu(`trap '' TERM; ${answersQmp} while :; do sleep 1; done`);
    const vm = await start({ qemu: deaf });
    expect(await vm.stop({ quitMs: 50, termMs: 50 })).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('tells who waits for its console that it has ended', async () => {
    const vm = await start();
    await vm.console.waitFor('ready', { timeoutMs: 90_000 });
    const waiting = vm.console.waitFor('never', { timeoutMs: 60_000 });
    vm.console.write('q');
    const error = await waiting.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(VmExitedError);
    expect(error).toMatchObject({ code: 'ERR_VM_EXITED', exit: { code: 0, signal: null } });
    expect(String(error)).toMatch(
      /waiting for "never" on the console: the VM exited with status 0\nIts console ends with:\n {2}ready/,
    );
  });

  test('shows its console when a wait takes too long', async () => {
    const vm = await start();
    await vm.console.waitFor('ready', { timeoutMs: 90_000 });
    await expect(vm.console.waitFor('never', { timeoutMs: 1 })).rejects.toThrow(
      /waiting for "never" on the console: not within 1 ms\nIts console ends with:\n {2}ready/,
    );
  });
});

describe('a start that fails', () => {
  async function failure(options: Partial<VmOptions & StartOptions>): Promise<Error> {
    const before = descriptors();
    const error = await startVm({ kernel, memory: 64, ...options }).then(
      async (vm) => {
        await vm.kill();
        throw new Error('it started');
      },
      (reason: Error) => reason,
    );
    await expect.poll(descriptors).toBeLessThanOrEqual(before);
    return error;
  }

  test('says what QEMU said', async () => {
    const error = await failure({ extraArgs: ['-nonsense'] });
    expect(error).toMatchObject({ code: 'ERR_VM_EXITED', exit: { code: 1, signal: null } });
    expect(error.message).toMatch(
      /^starting QEMU: the VM exited with status 1\nIt wrote:\n.*-nonsense: invalid option/,
    );
  });

  test('says that a file is missing', async () => {
    const error = await failure({ disks: [{ path: join(folder, 'absent') }] });
    expect(error.message).toContain('absent');
  });

  test.each([true, false])('says how QEMU is installed (endWithParent: %s)', async (endWithParent) => {
    const error = await failure({ qemu: 'qemu-system-absent', endWithParent });
    expect(error).toBeInstanceOf(ProgramNotFoundError);
    expect(error.message).toBe(
      'qemu-system-absent: no such program; install it with: apt-get install --no-install-recommends qemu-system-x86',
    );
  });

  test('says how setpriv is installed', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = folder;
    onTestFinished(() => {
      process.env['PATH'] = path;
    });
    const error = await failure({});
    expect(error.message).toMatch(/^setpriv: no such program; install it with: apt-get install util-linux/);
  });

  test('ends what answers no QMP in time', async () => {
    const pidFile = join(folder, 'mute.pid');
    const error = await failure({
      qemu: fakeQemu(`echo $$ > ${pidFile}; echo booting >&4; exec sleep 1000`),
      startTimeoutMs: 5000,
    });
    expect(error).toMatchObject({ code: 'ERR_VM_TIMEOUT', timeoutMs: 5000 });
    expect(error.message).toBe('starting QEMU: not within 5000 ms\nIts console ends with:\n  booting');
    expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
  });

  test('ends what speaks no QMP', async () => {
    const error = await failure({ qemu: fakeQemu('echo hello >&3; exec sleep 1000') });
    expect(error).toMatchObject({
      code: 'ERR_VM_EXITED',
      cause: { message: expect.stringContaining('not JSON') },
    });
  });

  test('ends by its signal, before and in the middle of it', async () => {
    const reason = new Error('enough');
    expect(await failure({ signal: AbortSignal.abort(reason) })).toBe(reason);
    const pidFile = join(folder, 'slow.pid');
    const abort = new AbortController();
    const failed = failure({ qemu: fakeQemu(`echo $$ > ${pidFile}; exec sleep 1000`), signal: abort.signal });
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8')).toMatch(/\n/);
    abort.abort(reason);
    expect(await failed).toBe(reason);
    expect(isRunning(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
  });

  test('says what is wrong with the options before anything is started', async () => {
    expect(await failure({ memory: -1 })).toMatchObject({ code: 'ERR_VM_OPTIONS' });
  });
});

test('a VM ends with the program that started it, even by SIGKILL', async () => {
  const program = `
    import { startVm } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
    const vm = await startVm({ kernel: ${JSON.stringify(kernel)}, memory: 64 });
    console.log(vm.pid);
    setInterval(() => undefined, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
  const pid = Number(line);
  expect(isRunning(pid)).toBe(true);
  parent.kill('SIGKILL');
  await expect.poll(() => isRunning(pid), { timeout: 60_000 }).toBe(false);
});
