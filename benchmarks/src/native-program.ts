import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchmarks, cache } from './folders.ts';

const native = join(benchmarks, 'native');
const FLAGS = ['-O2'];

/** A text that occurs in the source once, and what the program is compiled with in its place. */
export interface Replacement {
  readonly from: string;
  readonly to: string;
}

/** The first line of `gcc --version`. */
export function compilerVersion(): string {
  try {
    return execFileSync('gcc', ['--version'], { encoding: 'utf8' }).split('\n')[0] as string;
  } catch (error) {
    throw new Error('the load generator cannot be compiled: there is no gcc; apt-get install gcc libc6-dev', {
      cause: error,
    });
  }
}

/**
 * Compiles `native/<name>.c`, unless that has been done with the same sources and compiler.
 *
 * @returns the path of the program
 */
export function nativeProgram(
  name: 'p9load' | 'limit9p' | 'latency' | 'logload' | 'stream' | 'vsockend',
  replacement?: Replacement,
): string {
  let source = readFileSync(join(native, `${name}.c`), 'utf8');
  if (replacement) {
    if (source.split(replacement.from).length !== 2) {
      throw new Error(
        `native/${name}.c does not hold "${replacement.from}" once: its variant cannot be made`,
      );
    }
    source = source.replace(replacement.from, replacement.to);
  }
  const hash = createHash('sha256').update(compilerVersion()).update(FLAGS.join(' ')).update(source);
  if (name === 'latency') hash.update(readFileSync(join(native, 'p9load.c')));
  const folder = join(cache, hash.digest('hex').slice(0, 16));
  const program = join(folder, name);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  // Under another name first: a program that is there is whole, also when two runs compile at once.
  const unfinished = `${program}.${process.pid}`;
  const copy = `${unfinished}.c`;
  try {
    writeFileSync(copy, source);
    execFileSync('gcc', [...FLAGS, '-I', native, '-o', unfinished, copy], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    renameSync(unfinished, program);
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer };
    throw new Error(`cannot compile native/${name}.c:\n${stderr ?? (error as Error).message}`, {
      cause: error,
    });
  } finally {
    rmSync(copy, { force: true });
    rmSync(unfinished, { force: true });
  }
  return program;
}
