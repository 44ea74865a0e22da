import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootGuest, type Guest, type GuestProcess, guestProgram } from '@vm-tools/guest';
import { makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { vi } from 'vitest';
import { Daemon } from './daemon.ts';
import { buildSenders, linesOf } from './messages.ts';

const CID = 3;
/** AF_VSOCK knows no folders: two of these tests may run at once. */
const PORT = 500_000 + process.pid;
const PATIENT = { timeout: 280_000, interval: 20 };
const ACCOUNTS = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nsyslog:x:104:110::/:/bin/false\n',
  '/etc/group': 'root:x:0:\nsyslog:x:110:\n',
};

/** A guest with vm_syslog, whose log comes to a vmlog_forwarder on this machine. */
export class LoggingGuest implements AsyncDisposable {
  readonly guest: Guest;
  readonly #folder: string;
  readonly #program: string;
  #forwarder: Daemon | undefined;
  #collector: GuestProcess | undefined;

  private constructor(guest: Guest, folder: string, program: string) {
    this.guest = guest;
    this.#folder = folder;
    this.#program = program;
  }

  static async boot(): Promise<LoggingGuest> {
    const folder = mkdtempSync(join(tmpdir(), 'vm-tools-logging-guest-'));
    const senders = join(folder, 'senders');
    buildSenders(senders, '-static');
    const program = guestProgram(fileURLToPath(new URL('../src/vm-syslog.ts', import.meta.url)), 'vm_syslog');
    const files = Object.fromEntries(
      Object.entries(ACCOUNTS).map(([path, text]) => [path, Buffer.from(text)]),
    );
    const guest = await bootGuest({
      node: true,
      cid: CID,
      files: { ...program.files, ...files, '/opt/senders': senders },
    });
    makeVmDirectory(CID, join(folder, 'run'));
    await guest.vsock.serve(vmSocketPath(CID, join(folder, 'run')));
    return new LoggingGuest(guest, folder, program.path);
  }

  /** Starts vmlog_forwarder, and resolves when it listens. */
  async listen(...args: string[]): Promise<void> {
    const env = { VM_TOOLS_RUNTIME_DIR: join(this.#folder, 'run') };
    const own = [
      '--listen',
      `vsock::${PORT}`,
      '--log-destination',
      join(this.#folder, 'logs'),
      '--vm',
      `${CID}=web:1a2b`,
    ];
    this.#forwarder = await new Daemon('vmlog-forwarder', [...own, ...args], { env }).logged('listening');
  }

  /** Ends it. */
  async leave(signal: NodeJS.Signals): Promise<void> {
    await this.#forwarder?.end(signal);
  }

  /** Starts vm_syslog, as the guest's first process would, and resolves when it listens. */
  async collect(...args: string[]): Promise<void> {
    this.#collector = await this.guest.spawn([
      '/usr/local/bin/node',
      this.#program,
      ...['--user', 'syslog', '--host', `vsock:host:${PORT}`],
      ...args,
    ]);
    let output = '';
    this.#collector.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await vi.waitUntil(() => output.includes('listening') || output.includes(' error: '), PATIENT);
    if (!output.includes('listening')) throw new Error(output);
  }

  /** Ends vm_syslog. What it could not send in its time waits in its spool. */
  async stopCollecting(): Promise<void> {
    this.#collector?.kill('SIGTERM');
    await this.#collector?.exited;
  }

  /** What has arrived. */
  lines(): string[] {
    const logs = join(this.#folder, 'logs/1a2b/log');
    return existsSync(join(logs, 'd2Vi.log')) ? linesOf(logs, 'd2Vi.log') : [];
  }

  /** Resolves with the lines when these are as many as they have to be. */
  async arrived(isComplete: (lines: readonly string[]) => boolean): Promise<string[]> {
    return await vi.waitUntil(() => {
      const lines = this.lines();
      return isComplete(lines) ? lines : undefined;
    }, PATIENT);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave('SIGKILL');
    await this.guest[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
