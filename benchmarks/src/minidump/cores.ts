import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cache, repository } from '../folders.ts';

const source = join(repository, 'libs/minidump/test/programs/crash.c');

/** Cores of programs that crash for the occasion, in a folder that is gone afterwards. */
export class Cores implements Disposable {
  readonly folder: string;
  readonly #program: string;

  constructor() {
    mkdirSync(cache, { recursive: true });
    this.folder = mkdtempSync(join(cache, 'cores-'));
    this.#program = join(this.folder, 'crash');
    execFileSync('gcc', ['-g', '-O0', '-o', this.#program, source, '-lpthread', '-ldl']);
  }

  /** The core that a crash leaves, by its path. */
  of(...how: string[]): string {
    const folder = join(this.folder, how.join('-'));
    mkdirSync(folder);
    spawnSync('sh', ['-c', 'ulimit -c unlimited; exec "$@"', 'sh', this.#program, ...how], { cwd: folder });
    const core = readdirSync(folder)[0];
    if (!core) throw new Error('the kernel wrote no core here: sysctl -w kernel.core_pattern=core');
    return join(folder, core);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
