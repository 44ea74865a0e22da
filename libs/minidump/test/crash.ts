import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const programs = fileURLToPath(new URL('./programs/', import.meta.url));

/** A folder for programs and their cores, which is gone afterwards. */
export class CrashSite implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'vm-tools-crash-'));
  #runs = 0;

  /** Compiles a program of this folder. @returns its path */
  compile(source: string, { name = 'program', flags = [] as string[], compiler = 'gcc' } = {}): string {
    const output = join(this.folder, name);
    const base = ['-g', '-O0', '-fno-optimize-sibling-calls', '-fno-omit-frame-pointer', '-o', output];
    execFileSync(compiler, [...base, ...flags, join(programs, source), '-lpthread', '-ldl'], {
      stdio: 'pipe',
    });
    return output;
  }

  /** Compiles a program of Rust, by Debian's compiler. @returns its path */
  compileRust(source: string): string {
    const output = join(this.folder, source.replace('.rs', ''));
    try {
      execFileSync('/usr/bin/rustc', ['-g', '-C', 'panic=abort', '-o', output, join(programs, source)], {
        stdio: 'pipe',
      });
    } catch (cause) {
      throw new Error(`${source} cannot be compiled: apt-get install rustc`, { cause });
    }
    return output;
  }

  /** Runs a program until it dumps core. @returns the core; that it left none is an error, with what to do about it */
  crash(command: readonly string[], { filter }: { filter?: string } = {}): string {
    const folder = join(this.folder, `run-${++this.#runs}`);
    mkdirSync(folder);
    const setFilter = filter === undefined ? '' : `echo ${filter} > /proc/$$/coredump_filter; `;
    const script = `ulimit -c unlimited; ${setFilter}exec "$@"`;
    const run = spawnSync('sh', ['-c', script, 'sh', ...command], { cwd: folder, encoding: 'utf8' });
    const core = readdirSync(folder).find((name) => name.startsWith('core'));
    if (core === undefined) {
      const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
      throw new Error(
        `${command.join(' ')} left no core (status ${run.status}, signal ${run.signal}, core_pattern "${pattern}"): ` +
          `sysctl -w kernel.core_pattern=core makes the kernel write it into the current folder\n${run.stderr}`,
      );
    }
    return join(folder, core);
  }

  /** Removes what a run has left: cores are large. */
  clean(core: string): void {
    rmSync(join(core, '..'), { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
