import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hybridListenerPath, makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { repository } from '../folders.ts';

const CID = 3;
/** AF_VSOCK has its ports once: a real one may have 7779. */
const PORT = 200_000 + process.pid;

/** A host of one VM, to which crash_collector can report from this machine: the built crash_listener. */
export class CrashHost implements AsyncDisposable {
  /** Where crash_collector finds it. */
  readonly address: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.address = address;
  }

  /** @param folder where reports go; it is not removed */
  static async start(folder: string): Promise<CrashHost> {
    const run = join(folder, 'run');
    mkdirSync(run, { recursive: true });
    makeVmDirectory(CID, run);
    const program = join(repository, 'services/crash-listener/dist/main.cjs');
    const flags = ['--consent', 'always', '--directory', join(folder, 'crash'), '--max-reports', '100000'];
    const child = spawn(process.execPath, [program, ...flags, `vsock::${PORT}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, VM_TOOLS_RUNTIME_DIR: run },
    });
    const lines: string[] = [];
    for await (const line of createInterface(child.stderr)) {
      lines.push(line);
      if (line.includes('listening')) {
        return new CrashHost(child, `unix:${hybridListenerPath(vmSocketPath(CID, run), PORT)}`);
      }
    }
    throw new Error(`crash_listener did not start:\n${lines.join('\n')}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
  }
}
