import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { processNanoseconds } from './thread-cpu.ts';

const fromHere = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** A vhost_user_vsock, built, as a process of its own. */
export class DeviceProcess implements AsyncDisposable {
  /** Where QEMU connects. */
  readonly socket: string;
  readonly #child: ChildProcess;

  private constructor(socket: string, child: ChildProcess) {
    this.socket = socket;
    this.#child = child;
  }

  /** Programs listen on `<folder>/vsock_PORT`. */
  static async start(folder: string): Promise<DeviceProcess> {
    const packages = ['@vm-tools/vhost-user-vsock-daemon', '@vm-tools/vhost-user-vsock', '@vm-tools/linux'];
    execFileSync(process.execPath, [fromHere('../../../scripts/build.ts'), ...packages]);
    const socket = join(folder, 'vhost');
    const program = fromHere('../../../services/vhost-user-vsock/dist/main.cjs');
    const args = ['--guest-cid', '3', '--socket', socket, '--uds-path', join(folder, 'vsock')];
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('vhost_user_vsock did not start')));
      if (child.stderr)
        createInterface(child.stderr).on('line', (line) => line.includes('listening') && resolve());
    });
    return new DeviceProcess(socket, child);
  }

  cpuNanoseconds(): number {
    return processNanoseconds(this.#child.pid as number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}
