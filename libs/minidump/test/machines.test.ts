import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { Corpus } from './corpus.ts';
import { type Frame, gdbRun } from './judges.ts';

// Cores of other processors than that of this machine.

const corpus = new Corpus();
afterAll(() => corpus[Symbol.dispose]());

const remedy =
  'apt-get install qemu-user gdb-multiarch gcc-i686-linux-gnu gcc-arm-linux-gnueabihf gcc-riscv64-linux-gnu gcc-aarch64-linux-gnu';
/** The frames of `crash null`, up to main. */
const names = ['crash_null', 'null_dereference', ...new Array<string>(6).fill('recurse'), 'main'];

function compiled(triple: string, flags: string[] = []): string {
  try {
    const program = corpus.compile('crash.c', { name: `crash-${triple}`, compiler: `${triple}-gcc`, flags });
    corpus.symbols.add(program);
    return program;
  } catch (cause) {
    throw new Error(`${triple}-gcc cannot compile: ${remedy}`, { cause });
  }
}

test('a core of i386 has its backtrace', async () => {
  const program = compiled('i686-linux-gnu', ['-static']);
  const { dump, frames } = await corpus.judge([program, 'null']);
  expect(frames.map(({ name }) => name)).toEqual(names);
  expect(dump.cpu).toBe('i386');
  expect(dump.softErrors).toEqual([]);
});

interface Emulated {
  /** What gdb sees in the process. */
  readonly frames: readonly Frame[];
  /** The core that qemu-user wrote, if it does for that processor. */
  readonly qemu: string | undefined;
  /** The one that gdb wrote, which lacks the list of files, and a directory with that. */
  readonly gdb: { readonly core: string; readonly proc: string };
}

/** Crashes under qemu-user with gdb at its stub. */
async function crashEmulated(cpu: string, triple: string, program: string): Promise<Emulated> {
  const folder = join(corpus.folder, `emulated-${cpu}`);
  mkdirSync(folder);
  const root = `/usr/${triple}`;
  const script = `ulimit -c unlimited; exec qemu-${cpu} -L ${root} -g ./socket "$1" null`;
  const emulator = spawn('sh', ['-c', script, 'sh', program], { cwd: folder, stdio: 'ignore' });
  try {
    await listening(emulator, join(folder, 'socket'));
    const before = [`set sysroot ${root}`, `file ${program}`, 'target remote ./socket', 'continue'];
    const gdb = { core: join(folder, 'gcore'), proc: join(folder, 'proc') };
    mkdirSync(gdb.proc);
    symlinkSync('/', join(gdb.proc, 'root'));
    // Without what is of the emulator itself.
    const maps = `shell grep -E '${program}|${root}' /proc/${emulator.pid}/maps > ${gdb.proc}/maps`;
    const commands = [...before, 'python frames(100)', maps, `gcore ${gdb.core}`, 'continue'];
    const frames = gdbRun(folder, [], commands, 'gdb-multiarch');
    if (emulator.exitCode === null && emulator.signalCode === null) await once(emulator, 'exit');
    const core = readdirSync(folder).find((name) => name.endsWith('.core'));
    return { frames, gdb, qemu: core === undefined ? undefined : join(folder, core) };
  } finally {
    emulator.kill('SIGKILL');
  }
}

async function listening(emulator: ChildProcess, socket: string): Promise<void> {
  await vi.waitUntil(() => existsSync(socket) || emulator.exitCode !== null, { timeout: 90_000 });
  if (!existsSync(socket)) throw new Error(`qemu-user cannot be run: ${remedy}`);
}

describe.each([
  ['aarch64', 'aarch64-linux-gnu'],
  ['arm', 'arm-linux-gnueabihf'],
  ['riscv64', 'riscv64-linux-gnu'],
] as const)('of a program of %s', (cpu, triple) => {
  test('a core has the backtrace', async () => {
    const program = compiled(triple);
    const { frames, gdb, qemu } = await crashEmulated(cpu, triple, program);
    expect(frames.map(({ name }) => name)).toEqual(names);
    // Of RISC-V qemu-user writes none.
    expect(qemu === undefined).toBe(cpu === 'riscv64');
    const { dump } = qemu
      ? await corpus.judgeCore(qemu, frames, { file: program })
      : await corpus.judgeCore(gdb.core, frames, { file: program, pipe: false, proc: gdb.proc });
    expect(dump.cpu).toBe(cpu);
    expect(dump.modules[0]?.name).toBe(program);
    expect(dump.modules.map(({ name }) => name)).toContainEqual(expect.stringContaining('libc.so.6'));
  });
});
