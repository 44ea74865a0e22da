import { execFileSync } from 'node:child_process';

/** Compiles a C program of one file, static, so that it runs in any guest. */
export function compile(source: string, program: string): void {
  try {
    execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-static', '-o', program, source]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      'programs for the guest are compiled with gcc. Install it with: apt-get install gcc libc6-dev',
      { cause: error },
    );
  }
}
