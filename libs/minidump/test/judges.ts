import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// What others make of our dumps: Breakpad's stackwalker, from the npm package `minidump`; and gdb, of the core itself.

const cache = fileURLToPath(new URL('../../../.cache/minidump-judges/', import.meta.url));
const PACKAGE = 'minidump@0.26.0';

/** A tool of the npm package. Kept in `.cache`, so that only the first run needs the registry; nothing of it is run to install it. */
function tool(name: 'minidump_stackwalk' | 'minidump_dump' | 'dump_syms'): string {
  const folder = join(cache, PACKAGE);
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true });
    const partial = mkdtempSync(`${folder}-`);
    try {
      const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', partial, PACKAGE], {
        encoding: 'utf8',
      }).trim();
      const bin = 'package/bin/linux-x64';
      execFileSync('tar', ['-xzf', join(partial, packed), '-C', partial, '--strip-components=3', bin]);
      rmSync(join(partial, packed));
      for (const file of ['minidump_stackwalk', 'minidump_dump', 'dump_syms'])
        chmodSync(join(partial, file), 0o755);
      renameSync(partial, folder);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  }
  return join(folder, name);
}

/** A frame: where it will go on, and the function if it is known. */
export interface Frame {
  readonly pc: bigint;
  readonly name: string;
}

/** Symbols of programs and libraries, for the stackwalker. */
export class Symbols {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  add(file: string): void {
    const symbols = spawnSync(tool('dump_syms'), [file], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout;
    const [, id, name] = /^MODULE \S+ \S+ (\S+) (.+)\n/.exec(symbols) ?? [];
    if (!id || !name) throw new Error(`dump_syms finds no symbols in ${file}`);
    const folder = join(this.folder, name, id);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.sym`), symbols);
  }
}

export interface Walked {
  /** `SIGSEGV /SEGV_MAPERR` */
  readonly reason: string;
  readonly address: string;
  readonly frames: readonly Frame[];
  readonly threads: number;
  /** The first is the program. */
  readonly modules: readonly string[];
  /** What it found wrong with the dump. */
  readonly errors: readonly string[];
}

/** Walks the stacks of a dump. */
export function stackwalk(dump: string, symbols: string): Walked {
  const { stdout, stderr } = spawnSync(tool('minidump_stackwalk'), [dump, symbols], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const crashed = /^Thread \d+ \(crashed\)\n([\s\S]*?)\n\n/m.exec(stdout)?.[1] ?? '';
  const frames: Frame[] = [];
  for (const text of crashed.split(/\n(?= ?\d+ {2})/)) {
    const pc = /\b(?:rip|eip|pc) = (0x[0-9a-f]+)/.exec(text)?.[1];
    const name = /^ *\d+ {2}\S+?!(.*?)(?: \[|\n| \+ 0x|$)/.exec(text)?.[1] ?? '';
    if (pc) frames.push({ pc: BigInt(pc), name });
  }
  return {
    reason: /^Crash reason: *(.*)$/m.exec(stdout)?.[1] ?? '',
    address: /^Crash address: *(.*)$/m.exec(stdout)?.[1] ?? '',
    frames,
    threads: [...stdout.matchAll(/^Thread \d+/gm)].length,
    modules: [...stdout.matchAll(/^0x[0-9a-f]+ - 0x[0-9a-f]+ {2}(\S+)/gm)].map((match) => match[1] ?? ''),
    errors: [...stderr.matchAll(/minidump\.cc:\d+: ERROR: (.*)/g)].map((match) => match[1] ?? ''),
  };
}

const FRAMES = `
import gdb
def frames(most):
    frame = gdb.newest_frame()
    while frame is not None and most > 0:
        # Not those that it only infers: inlined functions, and tail calls, which leave nothing on the stack.
        if frame.type() in (gdb.NORMAL_FRAME, gdb.SIGTRAMP_FRAME):
            print('FRAME %x %s' % (frame.pc(), frame.name() or ''))
            most -= 1
        try:
            frame = frame.older()
        except gdb.error:
            break
`;

/** The frames of the thread that crashed, as gdb sees them in the core, up to main. */
export function gdbFrames(program: string, core: string, most: number): Frame[] {
  return gdbRun(join(core, '..'), [program, core], [`python frames(${most})`]);
}

/**
 * What `frames(MOST)`, a function of Python that gdb then has, prints among other commands.
 * @param folder where there is room for a file
 */
export function gdbRun(
  folder: string,
  args: readonly string[],
  commands: readonly string[],
  gdb = 'gdb',
): Frame[] {
  const script = join(folder, 'frames.py');
  writeFileSync(script, FRAMES);
  const flags = [`source ${script}`, ...commands].flatMap((command) => ['-ex', command]);
  const run = spawnSync(gdb, ['-nx', '-batch', ...flags, ...args], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, DEBUGINFOD_URLS: '' },
  });
  if (run.error) throw new Error(`${gdb} cannot be run: apt-get install ${gdb}`, { cause: run.error });
  return [...run.stdout.matchAll(/^FRAME ([0-9a-f]+) (.*)$/gm)].map(([, pc = '', name = '']) => ({
    pc: BigInt(`0x${pc}`),
    name,
  }));
}

/** The build-id of a file, by readelf. */
export function buildIdOf(file: string): string | undefined {
  const notes = execFileSync('readelf', ['-n', file], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return /Build ID: ([0-9a-f]+)/.exec(notes)?.[1];
}

/** The libraries that a program will load, as ldd tells. */
export function librariesOf(program: string): string[] {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
}
