import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { convertCore } from '../src/host/index.ts';
import { type Minidump, readMinidump } from '../src/index.ts';
import { CrashSite } from './crash.ts';
import { gdbFrames, Symbols, stackwalk } from './judges.ts';

const site = new CrashSite();
afterAll(() => site[Symbol.dispose]());

const remedy =
  'apt-get install qemu-user gdb-multiarch gcc-i686-linux-gnu gcc-arm-linux-gnueabihf gcc-riscv64-linux-gnu g++-aarch64-linux-gnu';
/** The frames of `crash null`, up to main. */
const frames = ['crash_null', 'null_dereference', ...new Array<string>(6).fill('recurse'), 'main'];

function compiled(triple: string, flags: string[] = []): string {
  try {
    return site.compile('crash.c', { name: `crash-${triple}`, compiler: `${triple}-gcc`, flags });
  } catch (cause) {
    throw new Error(`${triple}-gcc cannot compile: ${remedy}`, { cause });
  }
}

async function converted(core: Uint8Array, output: string): Promise<Minidump> {
  const chunks: Uint8Array[] = [];
  await convertCore(core, (chunk) => chunks.push(chunk));
  writeFileSync(output, Buffer.concat(chunks));
  return readMinidump(Buffer.concat(chunks));
}

describe('a core that qemu-user writes', () => {
  test.each([
    ['aarch64', 'aarch64-linux-gnu'],
    ['arm', 'arm-linux-gnueabihf'],
  ] as const)('of %s has its backtrace', async (cpu, triple) => {
    const program = compiled(triple);
    const folder = join(site.folder, `qemu-${cpu}`);
    mkdirSync(folder);
    const script = `ulimit -c unlimited; exec qemu-${cpu} -L /usr/${triple} "$1" null`;
    const run = spawnSync('sh', ['-c', script, 'sh', program], { cwd: folder, encoding: 'utf8' });
    const core = readdirSync(folder).find((name) => name.endsWith('.core'));
    if (!core) throw new Error(`qemu-${cpu} wrote no core: ${remedy}\n${run.stderr}`);
    const dump = await converted(readFileSync(join(folder, core)), join(folder, 'dump'));
    expect(dump.cpu).toBe(cpu);
    expect(dump.modules[0]?.name).toBe(program);
    expect(dump.modules.map(({ name }) => name)).toContain('/lib/libc.so.6');
    const symbols = new Symbols(join(folder, 'symbols'));
    symbols.add(program);
    const walked = stackwalk(join(folder, 'dump'), symbols.folder);
    expect(walked.errors).toEqual([]);
    expect(walked.frames.slice(0, frames.length).map(({ name }) => name)).toEqual(frames);
  });
});

test('a core of i386 has its backtrace', async () => {
  const program = compiled('i686-linux-gnu', ['-static']);
  const core = site.crash([program, 'null']);
  const dump = await converted(readFileSync(core), `${core}.dmp`);
  expect(dump.cpu).toBe('i386');
  expect(dump.softErrors).toEqual([]);
  const symbols = new Symbols(join(site.folder, 'symbols-i386'));
  symbols.add(program);
  const truth = gdbFrames(program, core, 50);
  const walked = stackwalk(`${core}.dmp`, symbols.folder);
  expect(walked.frames.slice(0, truth.length).map(({ pc }) => `${pc}`)).toEqual(
    truth.map(({ pc }) => `${pc}`),
  );
});

test('a core of riscv64 that gdb writes, with few registers and odd memory, has all that gdb returns to', async () => {
  const program = compiled('riscv64-linux-gnu');
  const folder = join(site.folder, 'gdb-riscv64');
  mkdirSync(folder);
  const emulator = spawn(
    'qemu-riscv64',
    ['-L', '/usr/riscv64-linux-gnu', '-g', './socket', program, 'null'],
    {
      cwd: folder,
      stdio: 'ignore',
    },
  );
  try {
    await vi.waitUntil(() => existsSync(join(folder, 'socket')), { timeout: 60_000 });
    const commands = [
      'set sysroot /usr/riscv64-linux-gnu',
      `file ${program}`,
      'target remote ./socket',
      'continue',
      'backtrace',
      'gcore ./gcore',
    ].flatMap((command) => ['-ex', command]);
    const gdb = spawnSync('gdb-multiarch', ['-nx', '-batch', ...commands], { cwd: folder, encoding: 'utf8' });
    const truth = [...gdb.stdout.matchAll(/^#\d+ +0x([0-9a-f]+) in (\w+)/gm)];
    expect([...new Map(truth.map((match) => [match[0], match[2]])).values()], remedy).toEqual(frames);
    const dump = await convertedFile(join(folder, 'gcore'));
    expect(dump.cpu).toBe('riscv64');
    expect(dump.threads).toHaveLength(1);
    const registers = dump.registers(dump.exception!.context)!;
    expect(registers.get('pc')).toBe(BigInt(`0x${truth[0]![1]}`));
    const stack = dump.threads[0]!.stack!;
    const words = new Set(wordsOf(stack.bytes));
    for (const match of truth.slice(3)) expect(words.has(BigInt(`0x${match[1]}`))).toBe(true);
  } finally {
    emulator.kill();
  }
});

/** A file that claims hundreds of GiB: it is read where it must be. */
async function convertedFile(path: string): Promise<Minidump> {
  const fd = openSync(path, 'r');
  const chunks: Uint8Array[] = [];
  await convertCore(fd, (chunk) => chunks.push(chunk));
  closeSync(fd);
  return readMinidump(Buffer.concat(chunks));
}

function wordsOf(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length >> 3 }, (_, index) => view.getBigUint64(index * 8, true));
}
