import { Bench, type NineS } from '../nine-s.ts';

/** A directory of the host and the 9s that serves it to a guest. */
export class SharedFolder {
  readonly bench = new Bench();
  readonly nineS: NineS;
  readonly listening: Promise<void>;

  /** @param options of 9s; `--root` among them takes the place of the scratch directory */
  constructor(options: readonly string[] = []) {
    const root = options.includes('--root') ? [] : ['--root', this.bench.root];
    this.nineS = this.bench.start([...root, ...options, this.bench.listen]);
    this.listening = this.nineS.logged('listening');
  }

  get root(): string {
    return this.bench.root;
  }

  get socket(): string {
    return this.bench.socket;
  }

  /** Lines of its log, times and numbers of connections left out. */
  get log(): string[] {
    return this.nineS.stderr.trimEnd().split('\n');
  }

  async close(): Promise<void> {
    await this.bench.clear();
  }
}

/** @throws when this process is not root's, saying what takes it */
export function requireRoot(what: string): void {
  if (process.getuid?.() !== 0)
    throw new Error(`${what} take root on the host: run this as root, as in: sudo npm test`);
}
