import { buffer, text } from 'node:stream/consumers';
import type { VsockDevice } from '@vm-tools/vhost-user-vsock';
import type { Vm, VmConsole, VmExit } from '@vm-tools/vmm';
import { AGENT_PORT, AgentClient, AgentFailure } from './agent-client.ts';
import { GuestError, type GuestErrorCode } from './errors.ts';
import type { GuestProcess } from './guest-process.ts';
import { type MountOptions, mountArguments, type ShareAddress, whyUnreachable } from './p9-mount.ts';

/** How a program is started in the guest. */
export interface SpawnOptions {
  /** Added to PATH, HOME and LANG. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default "/". */
  readonly cwd?: string;
  /** Default 0. */
  readonly uid?: number;
  readonly gid?: number;
}

export interface ExecOptions extends SpawnOptions {
  /** Written to its stdin, which is empty otherwise. */
  readonly input?: string | Uint8Array;
  /** Default 60,000; then the program and its children are killed. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What a program did. */
export interface ExecResult {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** As UTF-8; `stdoutBytes` has the bytes. */
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
};

const DEFAULT_TIMEOUT = 110_000;
/** Lines of the console in a message: a panic's call trace is longer than a screen. */
const TAIL = 50;

/** What of the host a guest is given. */
export interface GuestConnections {
  readonly device: VsockDevice | undefined;
  readonly shares: ReadonlyMap<string, ShareAddress>;
  /** Milliseconds for the boot. */
  readonly timeoutMs: number;
}

/** A booted guest. Disposing of it ends it at once; nothing of it stays on the host. */
export class Guest implements AsyncDisposable {
  readonly vm: Vm;
  /** The kernel's release, such as `6.1.0-50-amd64`. */
  readonly release: string;
  /** Resolves when the VM has ended, and its vsock device is closed. */
  readonly exited: Promise<VmExit>;
  readonly #agent: AgentClient;
  readonly #device: VsockDevice | undefined;
  readonly #shares: ReadonlyMap<string, ShareAddress>;

  private constructor(vm: Vm, agent: AgentClient, release: string, { device, shares }: GuestConnections) {
    this.vm = vm;
    this.#agent = agent;
    this.release = release;
    this.#device = device;
    this.#shares = shares;
    this.exited = vm.exited.then(async (exit) => {
      await device?.close();
      return exit;
    });
  }

  /** Awaits the agent of a VM that has just been started. `bootGuest` is what makes VMs with an agent. */
  static async connect(vm: Vm, connections: GuestConnections): Promise<Guest> {
    const { timeoutMs } = connections;
    const agent = new AgentClient(vm.port(AGENT_PORT));
    const fail = (code: GuestErrorCode, message: string) =>
      new GuestError(code, message, { console: `${vm.console.tail(TAIL)}\n${vm.stderr}` });
    void vm.exited.then(() => agent.end(fail('ERR_GUEST_ENDED', 'the guest has ended')));
    let timer: NodeJS.Timeout | undefined;
    const release = await Promise.race([
      agent.ready,
      vm.exited.then(() => Promise.reject(fail('ERR_GUEST_BOOT', 'the guest ended while it booted'))),
      new Promise<never>((_, reject) => {
        const late = () => reject(fail('ERR_GUEST_TIMEOUT', `the guest did not boot within ${timeoutMs} ms`));
        timer = setTimeout(late, timeoutMs);
      }),
    ]).finally(() => clearTimeout(timer));
    return new Guest(vm, agent, release, connections);
  }

  /** The host's side of its vsock. Throws RangeError when `bootGuest` was given another one. */
  get vsock(): VsockDevice {
    if (!this.#device) throw new RangeError("the guest has a vsock device that is not this program's");
    return this.#device;
  }

  /** The serial console: the kernel's log, warnings of the boot and everything since. */
  get console(): VmConsole {
    return this.vm.console;
  }

  /** Starts a program and resolves when it runs, its streams open. Rejects with GuestError. */
  async spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<GuestProcess> {
    const process = this.#spawn(argv, options);
    await process.started.catch((error: unknown) => Promise.reject(this.#explained(argv, error)));
    return process;
  }

  /**
   * Runs a program to its end. Any number may run at once. Rejects with GuestError when it cannot be started, at its
   * deadline or when the guest ends; a status other than 0 is a result, not an error: see `run`.
   */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { timeoutMs = DEFAULT_TIMEOUT, signal, input = '' } = options;
    signal?.throwIfAborted();
    const process = this.#spawn(argv, options);
    const outputs = Promise.all([buffer(process.stdout), text(process.stderr)]);
    outputs.catch(() => undefined);
    process.stdin.end(input);
    let timer: NodeJS.Timeout | undefined;
    let onAbort = (): void => undefined;
    const cut = new Promise<never>((_, reject) => {
      const end = (error: Error) => {
        process.kill('SIGKILL');
        reject(error);
      };
      const late = () =>
        end(this.#error('ERR_GUEST_TIMEOUT', `${shown(argv)}: not at its end within ${timeoutMs} ms`));
      timer = setTimeout(late, timeoutMs);
      onAbort = () => end(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      const exit = await Promise.race([process.exited, cut]);
      const [stdoutBytes, stderr] = await outputs;
      return { ...exit, stdoutBytes, stderr, stdout: stdoutBytes.toString() };
    } catch (error) {
      throw this.#explained(argv, error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** As `exec`, but resolves with stdout, and rejects with GuestError when the program fails. */
  async run(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
    const result = await this.exec(argv, options);
    if (result.status === 0) return result.stdout;
    throw this.#error('ERR_GUEST_STATUS', describe(argv, result));
  }

  /** `run` for a shell script. */
  sh(script: string, options: ExecOptions = {}): Promise<string> {
    return this.run(['/bin/sh', '-ec', script], options);
  }

  /** Contents of a regular file. Rejects with GuestError. */
  async readFile(path: string, options: ExecOptions = {}): Promise<Buffer> {
    const argv = ['/bin/busybox', 'cat', '--', path];
    const result = await this.exec(argv, options);
    if (result.status === 0) return result.stdoutBytes;
    throw this.#error('ERR_GUEST_STATUS', describe(argv, result));
  }

  /** Writes a file, whose folder is made when it is missing. Rejects with GuestError. */
  async writeFile(
    path: string,
    data: string | Uint8Array,
    options: ExecOptions & { readonly mode?: number } = {},
  ): Promise<void> {
    const mode = (options.mode ?? 0o644).toString(8);
    const script = 'mkdir -p "$(dirname "$0")" && cat > "$0" && chmod "$1" "$0"';
    await this.run(['/bin/busybox', 'sh', '-c', script, path, mode], { ...options, input: data });
  }

  /** Mounts a share of `bootGuest({ p9 })`; the folder is made. Rejects with GuestError. */
  async mount9p(share: string, path: string, options: MountOptions = {}): Promise<void> {
    const address = this.#shares.get(share);
    if (!address) {
      const known = [...this.#shares.keys()].join(', ') || 'none';
      throw new RangeError(`no 9P share ${JSON.stringify(share)}; bootGuest was given: ${known}`);
    }
    await this.run(['/bin/busybox', 'mkdir', '-p', path]);
    const argv = mountArguments(address, path, options);
    const result = await this.exec(argv, options);
    if (result.status === 0) return;
    const unreachable = await whyUnreachable(address);
    const why = unreachable === undefined ? '' : `\nNo server answers on the host: ${unreachable}`;
    throw this.#error('ERR_GUEST_STATUS', describe(argv, result) + why);
  }

  /** Unmounts; `lazy` also what hangs or is in use (MNT_DETACH). Rejects with GuestError. */
  async unmount(
    path: string,
    { lazy = false, ...options }: ExecOptions & { readonly lazy?: boolean } = {},
  ): Promise<void> {
    await this.run(['/bin/busybox', 'umount', ...(lazy ? ['-l'] : []), path], options);
  }

  /** Syncs and powers off; resolves when the VM has ended, which is forced after the time-out. */
  async powerOff({ timeoutMs = 60_000 }: { readonly timeoutMs?: number } = {}): Promise<VmExit> {
    this.#agent.powerOff();
    const timer = setTimeout(() => void this.vm.kill(), timeoutMs);
    return this.exited.finally(() => clearTimeout(timer));
  }

  /** Ends the guest as a power cut does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.vm[Symbol.asyncDispose]();
    await this.exited;
  }

  #spawn(argv: readonly string[], { env, cwd = '/', uid = 0, gid = 0 }: SpawnOptions): GuestProcess {
    return this.#agent.spawn({ argv, env: { ...environment, ...env }, cwd, uid, gid });
  }

  #explained(argv: readonly string[], error: unknown): unknown {
    if (error instanceof GuestError && error.code === 'ERR_GUEST_ENDED')
      return this.#error('ERR_GUEST_ENDED', `${shown(argv)}: the guest has ended`, error);
    if (!(error instanceof AgentFailure)) return error;
    return this.#error('ERR_GUEST_START', `${shown(argv)}: could not be started: ${error.message}`, error);
  }

  #error(code: GuestErrorCode, message: string, cause?: unknown): GuestError {
    const console = `${this.console.tail(TAIL)}\n${this.vm.stderr}`;
    return new GuestError(code, message, cause === undefined ? { console } : { console, cause });
  }
}

function shown(argv: readonly string[]): string {
  const text = argv.join(' ');
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}

function describe(argv: readonly string[], { status, signal, stdout, stderr }: ExecResult): string {
  const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
  const output = [stdout.slice(-2000), stderr.slice(-2000)]
    .map((part) => part.trimEnd())
    .filter((part) => part !== '');
  return [`${shown(argv)} ${how}`, ...output].join('\n');
}
