import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { close, pipe } from '@vm-tools/linux';
import { expect } from 'vitest';
import { type ConvertCoreOptions, convertCore } from '../src/host/index.ts';
import { type Minidump, readMinidump } from '../src/index.ts';
import { CrashSite } from './crash.ts';
import { type Frame, gdbFrames, librariesOf, Symbols, stackwalk, type Walked } from './judges.ts';
import { lldbFrames, obj2yaml } from './lldb.ts';

export interface Judged {
  readonly dump: Minidump;
  readonly walked: Walked;
  /** What gdb saw. */
  readonly frames: readonly Frame[];
}

export interface Judging {
  /** Where the symbols of the program are, if not in what was run. */
  readonly file?: string;
  readonly filter?: string;
  /** How many frames are compared, from the innermost; 200 unless given. */
  readonly most?: number;
  /** False: Breakpad cannot follow it (signal frames, jumps to nowhere, code of which it has no symbols); lldb alone is compared with gdb. */
  readonly breakpad?: boolean;
  /** False: what gdb has written, with its notes at the end, and often hundreds of GiB of nothing: it is read as a file only. */
  readonly pipe?: boolean;
  /** A directory with what else is known of the process. */
  readonly proc?: string;
}

const STREAMS = ['ThreadList', 'ModuleList', 'MemoryList', 'Exception', 'SystemInfo'];

/** Programs that crash, and what gdb, lldb, llvm and Breakpad make of it. */
export class Corpus extends CrashSite {
  readonly symbols = new Symbols(join(this.folder, 'symbols'));

  /** Tells Breakpad of a program and of what it will load. */
  addSymbols(program: string): void {
    for (const file of [program, ...librariesOf(program)]) this.symbols.add(file);
  }

  /** Crashes, converts, and compares the frames of the thread that crashed: all must see what gdb sees in the core. */
  async judge(command: readonly string[], judging: Judging = {}): Promise<Judged> {
    const core = this.crash(command, judging.filter === undefined ? {} : { filter: judging.filter });
    try {
      const frames = gdbFrames(judging.file ?? (command[0] as string), core, judging.most ?? 200);
      return await this.judgeCore(core, frames, judging);
    } finally {
      this.clean(core);
    }
  }

  /** The same of a core that is there, and of which the frames are known. */
  async judgeCore(
    core: string,
    frames: readonly Frame[],
    { file, most = 200, breakpad = true, pipe = true, proc }: Judging = {},
  ): Promise<Judged> {
    expect(frames.length).toBeGreaterThan(Math.min(1, most - 1));
    const path = `${core}.dmp`;
    const dump = await convert(core, path, { pipe, options: proc === undefined ? {} : { proc } });
    const walked = stackwalk(path, this.symbols.folder);
    // It has no other word for a thread without a stack, and for no modules.
    const known = [
      ...(dump.threads.every(({ stack }) => stack) ? [] : ['region problem, 0x0+0x0']),
      ...(dump.modules.length > 0 ? [] : ['MinidumpModuleList index out of range: 0/0']),
    ];
    expect(walked.errors.filter((error) => !known.some((one) => error.includes(one)))).toEqual([]);
    expect(walked.threads).toBe(dump.threads.length);
    const truth = addresses(frames, dump);
    if (breakpad) expect(addresses(walked.frames, dump).slice(0, truth.length)).toEqual(truth);
    // lldb 14 knows no RISC-V.
    if (dump.cpu !== 'riscv64') {
      expect(addresses(lldbFrames(path, most, file), dump).slice(0, truth.length)).toEqual(truth);
    }
    const { status, stderr, types } = obj2yaml(path);
    expect([status, stderr]).toEqual([0, '']);
    expect(types).toEqual(expect.arrayContaining(STREAMS));
    return { dump, walked, frames };
  }
}

/** Where the frames are, as text. Of ARM without the bit that says Thumb, which is not everybody's taste. */
function addresses(frames: readonly Frame[], { cpu }: Minidump): string[] {
  return frames.map(({ pc }) => `0x${(cpu === 'arm' ? pc & ~1n : pc).toString(16)}`);
}

/** Converts a file, and what flows by in a pipe, which must give the same. */
async function convert(
  core: string,
  output: string,
  { pipe: flowing, options }: { readonly pipe: boolean; readonly options: ConvertCoreOptions },
): Promise<Minidump> {
  const file = openSync(core, 'r');
  const expected = await converted(file, options);
  closeSync(file);
  writeFileSync(output, expected);
  const dump = readMinidump(expected);
  if (!flowing) return dump;
  const [read, write] = pipe();
  const writer = spawn('cat', [core], { stdio: ['ignore', write, 'inherit'] });
  close(write);
  const ended = once(writer, 'exit');
  const bytes = await converted(read, options);
  close(read);
  expect(await ended).toEqual([0, null]);
  expect(readMinidump(bytes).softErrors).toEqual(dump.softErrors);
  expect(bytes.equals(expected)).toBe(true);
  return dump;
}

async function converted(core: number, options: ConvertCoreOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  await convertCore(core, (chunk) => chunks.push(chunk), { ...options, time: 1 });
  return Buffer.concat(chunks);
}
