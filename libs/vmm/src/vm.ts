import type { ChildProcess } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import { type VmExit, VmExitedError, VmOptionsError, VmTimeoutError } from './errors.ts';
import type { QemuProcess } from './qemu/qemu-process.ts';
import { QmpClient } from './qemu/qmp-client.ts';
import { VmConsole } from './vm-console.ts';
import type { StopOptions } from './vm-options.ts';

const STDERR_KEPT = 16 << 10;
const OUTPUT_ENDS_MS = 1000;

/** A running virtual machine. It owns its process and all sockets to it: when `exited` resolves, nothing is left of them. */
export class Vm implements AsyncDisposable {
  readonly pid: number;
  readonly qmp: QmpClient;
  readonly console: VmConsole;
  /** Resolves when the VMM has ended and its output is read; never rejects. */
  readonly exited: Promise<VmExit>;
  readonly #child: ChildProcess;
  readonly #ports: ReadonlyMap<string, Duplex>;
  #exit: VmExit | undefined;
  #stderr = '';
  #stopping: Promise<VmExit> | undefined;

  /** Not for callers: `startVm` makes VMs. */
  constructor(qemu: QemuProcess, consoleBytes = 1 << 20) {
    this.pid = qemu.child.pid as number;
    this.#child = qemu.child;
    this.#ports = qemu.ports;
    this.exited = this.#watch(qemu);
    qemu.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.qmp = new QmpClient(qemu.qmp);
    this.console = new VmConsole(qemu.console, consoleBytes, {
      timedOut: (what, timeoutMs) =>
        new VmTimeoutError(what, { timeoutMs, consoleTail: this.console.tail() }),
      ended: async (what) => {
        const exit = await this.exited;
        return new VmExitedError(what, { exit, stderr: this.#stderr, consoleTail: this.console.tail() });
      },
    });
    // A port's error is its user's to see; but one that nobody looks at must not end this program.
    for (const port of qemu.ports.values()) {
      port.on('error', () => undefined);
    }
  }

  /** How the VM ended, or undefined while it runs. */
  get exit(): VmExit | undefined {
    return this.#exit;
  }

  /** What the VMM wrote to its standard error: its last 16 KiB. */
  get stderr(): string {
    return this.#stderr;
  }

  /** The stream to a virtio-serial port that has neither `connect` nor `listen`. Throws VmOptionsError. */
  port(name: string): Duplex {
    const port = this.#ports.get(name);
    if (port) return port;
    const names = [...this.#ports.keys()].join(', ') || 'none';
    throw new VmOptionsError(`no port ${JSON.stringify(name)} with a stream; the VM has: ${names}`);
  }

  /**
   * Ends the VM, each step harder than the one before: power button if asked for, QMP `quit`, SIGTERM, SIGKILL. Resolves
   * when it has ended, at once if it had. A second call joins the first; `kill()` cuts both short.
   */
  stop(options: StopOptions = {}): Promise<VmExit> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  /** SIGKILL: what the guest has not flushed is lost. */
  kill(): Promise<VmExit> {
    if (!this.#exit) this.#child.kill('SIGKILL');
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #watch({ child, console, ports }: QemuProcess): Promise<VmExit> {
    const exit = new Promise<VmExit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    const outputs = [child.stderr as Readable, console];
    const ends = Promise.all(
      outputs.map((stream) => new Promise((resolve) => stream.once('close', resolve))),
    );
    const result = await exit;
    // A port that nobody reads would never end.
    for (const port of ports.values()) if (port.listenerCount('readable') === 0) port.resume();
    // Programs that QEMU started have its stderr too; they do not decide when the VM has ended.
    await within(OUTPUT_ENDS_MS, ends);
    for (const stream of outputs) stream.destroy();
    this.#exit = result;
    return result;
  }

  async #stop({ powerdownMs = 0, quitMs = 5000, termMs = 2000 }: StopOptions): Promise<VmExit> {
    const steps: [number, () => void][] = [
      [powerdownMs, () => this.#order('system_powerdown')],
      [quitMs, () => this.#order('quit')],
      [termMs, () => this.#child.kill('SIGTERM')],
    ];
    for (const [milliseconds, step] of steps) {
      if (milliseconds <= 0 || this.#exit) continue;
      step();
      if (await within(milliseconds, this.exited)) break;
    }
    return this.kill();
  }

  #order(command: string): void {
    // An answer that never comes is what the next step is for.
    this.qmp.execute(command).catch(() => undefined);
  }
}

/** Whether the promise resolves in time. */
export async function within(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
