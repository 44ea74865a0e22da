import type { WriteStream } from 'node:tty';

const EVERY_MS = 100;
const MAX_WIDTH = 40;

/** A line on a terminal that tells how far a core has been read. */
export class ProgressBar {
  readonly #terminal: Pick<WriteStream, 'write' | 'columns'>;
  readonly #now: () => number;
  #shownAt = Number.NEGATIVE_INFINITY;
  #visible = false;

  constructor(terminal: Pick<WriteStream, 'write' | 'columns'>, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#now = now;
  }

  show({ read, total }: { readonly read: number; readonly total: number }): void {
    if (this.#now() - this.#shownAt < EVERY_MS) return;
    this.#shownAt = this.#now();
    this.#visible = true;
    const part = total > 0 ? Math.min(1, read / total) : 0;
    const width = Math.max(0, Math.min(MAX_WIDTH, this.#terminal.columns - 30));
    const full = Math.round(part * width);
    const bar = `${'#'.repeat(full)}${'.'.repeat(width - full)}`;
    this.#terminal.write(`\r\x1b[K${bar} ${mebibytes(read)} of ${total > 0 ? mebibytes(total) : '?'}`);
  }

  clear(): void {
    if (this.#visible) this.#terminal.write('\r\x1b[K');
    this.#visible = false;
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(0)} MiB`;
}
