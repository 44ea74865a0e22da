import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const fromHere = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const commandLines = {
  sources: [process.execPath, '--conditions=@vm-tools/source', fromHere('../src/main.ts')],
  build: [process.execPath, fromHere('../dist/main.cjs')],
};

/** How a 9s ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Descriptors that it inherits as 3, 4, ... */
  readonly pass?: readonly number[];
  /** Shell commands before it, in the same process. */
  readonly before?: string;
  /** Default: the sources. */
  readonly from?: keyof typeof commandLines;
}

/** A 9s that runs as a process of its own. */
export class NineS {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stderr = '';

  constructor(args: readonly string[], { env = {}, pass = [], before, from = 'sources' }: StartOptions) {
    const options: SpawnOptions = {
      stdio: ['ignore', 'pipe', 'pipe', ...pass],
      env: { ...process.env, ...env },
    };
    const words = [...commandLines[from], ...args];
    this.child = before
      ? spawn('sh', ['-c', `${before}; exec "$@"`, 'sh', ...words], options)
      : spawn(process.execPath, words.slice(1), options);
    let stdout = '';
    this.child.stdout?.on('data', (chunk) => {
      stdout += chunk;
    });
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr: this.stderr }));
    });
  }

  /** Resolves when it has logged that text, so many times. */
  async logged(text: string, times = 1): Promise<void> {
    const { stderr } = this.child;
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (this.stderr.split(text).length - 1 >= times) resolve();
      };
      stderr?.on('data', look);
      void this.ended.then(({ code }) =>
        reject(new Error(`9s ended with ${code}, not saying ${text}: ${this.stderr}`)),
      );
      look();
    });
  }

  async terminate(): Promise<Ended> {
    this.child.kill('SIGTERM');
    return await this.ended;
  }

  /** How many descriptors it has open, and how many threads. */
  usage(): { descriptors: number; threads: number } {
    const count = (folder: string) => readdirSync(`/proc/${this.child.pid}/${folder}`).length;
    return { descriptors: count('fd'), threads: count('task') };
  }
}

/** A scratch folder with a directory to serve, and whatever was started for a test. */
export class Bench {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'vm-tools-9s-')));
  readonly root = join(this.folder, 'root');
  readonly socket = join(this.folder, 's');
  readonly listen = `unix:${this.socket}`;
  readonly #processes: NineS[] = [];
  readonly #sockets: Socket[] = [];

  constructor() {
    mkdirSync(this.root);
    writeFileSync(join(this.root, 'hello'), 'hello, guest\n');
  }

  start(args: readonly string[], options: StartOptions = {}): NineS {
    const nineS = new NineS(args, options);
    this.#processes.push(nineS);
    return nineS;
  }

  /** One that serves the root, and listens. */
  async serve(options: readonly string[] = [], listen = this.listen): Promise<NineS> {
    const nineS = this.start(['--root', this.root, ...options, listen]);
    await nineS.logged('listening');
    return nineS;
  }

  /** A socket that is connected. */
  async connect(
    to: { path: string } | { host: string; port: number } = { path: this.socket },
  ): Promise<Socket> {
    return await new Promise((resolve, reject) => {
      const socket = connect(to, () => resolve(socket));
      socket.on('error', reject);
      this.#sockets.push(socket);
    });
  }

  async clear(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const { child } of this.#processes) child.kill('SIGKILL');
    await Promise.all(this.#processes.map(({ ended }) => ended));
    rmSync(this.folder, { recursive: true });
  }
}
