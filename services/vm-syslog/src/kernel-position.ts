import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'kernel-position';

/** How far the log of the kernel has been sent, for the process that starts next. Numbers of records are of one boot. */
export class KernelPosition {
  readonly #path: string;
  readonly #boot: string;

  constructor(folder: string, boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) {
    this.#path = join(folder, NAME);
    this.#boot = boot;
  }

  /** The number of the last record; undefined: none of this boot. */
  read(): number | undefined {
    try {
      const [boot, sequence] = readFileSync(this.#path, 'utf8').split(' ');
      return boot === this.#boot && /^\d{1,15}$/.test(sequence ?? '') ? Number(sequence) : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** @param sequence NaN or negative: there was none */
  write(sequence: number): void {
    if (!(sequence >= 0)) return;
    writeFileSync(`${this.#path}.new`, `${this.#boot} ${sequence}`, { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }
}
