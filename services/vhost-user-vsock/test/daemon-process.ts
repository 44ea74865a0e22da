import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';

/** Nothing here takes long, but on a machine that is busy with other things. */
export const PATIENT = { timeout: 90_000, interval: 20 };

const fromHere = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const commandLines = {
  sources: [
    '--conditions=@vm-tools/source',
    '--disable-warning=ExperimentalWarning',
    fromHere('../src/main.ts'),
  ],
  build: [fromHere('../dist/main.cjs')],
};

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Default: the sources. */
  readonly from?: keyof typeof commandLines;
}

/** A daemon that runs as a process of its own. */
export class Daemon {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
  stderr = '';

  constructor(args: readonly string[], { env = {}, from = 'sources' }: StartOptions) {
    this.child = spawn(process.execPath, [...commandLines[from], ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => resolve({ code, signal, stderr: this.stderr }));
    });
  }

  async logged(what: string): Promise<void> {
    const ended = this.ended.then(() =>
      Promise.reject(new Error(`it ended without saying ${what}: ${this.stderr}`)),
    );
    await Promise.race([vi.waitUntil(() => this.stderr.includes(what), PATIENT), ended]);
  }

  /** The most memory that it has ever had, in MB. */
  get peakMegabytes(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'latin1');
    return (Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
  }
}

/** Builds the daemon and what it stands on; what was built from these very sources is left alone. */
export function buildDaemon(): void {
  const script = fromHere('../../../scripts/build.ts');
  const packages = ['@vm-tools/vhost-user-vsock-daemon', '@vm-tools/vhost-user-vsock', '@vm-tools/linux'];
  execFileSync(process.execPath, [script, ...packages]);
}
