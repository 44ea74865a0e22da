import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crashListener, type FailureNotice } from '@vm-tools/crash-report';
import { bootGuest, type Guest } from '@vm-tools/guest';
import { type RpcServer, serveRpc } from '@vm-tools/vm-rpc';
import { CrashListener } from '@vm-tools/vm-rpc/vm-crash';
import { makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { vi } from 'vitest';
import { installed } from '../../../libs/minidump/test/installed.ts';

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const CID = 3;
/** Nothing here takes long, but on a machine that is busy with other things. */
const PATIENT = { timeout: 240_000, interval: 50 };

/** A report that has arrived. */
export interface Arrived {
  readonly meta: ReadonlyMap<string, string>;
  /** The path of the minidump. */
  readonly dump: string;
  readonly processTree: string;
}

/** A guest whose crashes come to this process, and the program that crashes there. */
export class CrashingGuest implements AsyncDisposable {
  readonly guest: Guest;
  /** On the host: a program that crashes as its first argument says. In the guest it is /opt/crash. */
  readonly program: string;
  readonly folder: string;
  readonly failures: FailureNotice[] = [];
  consent = true;
  readonly #seen = new Set<string>();
  #server: RpcServer | undefined;

  private constructor(guest: Guest, folder: string, program: string) {
    this.guest = guest;
    this.folder = folder;
    this.program = program;
  }

  static async boot(): Promise<CrashingGuest> {
    const folder = mkdtempSync(join(tmpdir(), 'vm-tools-crash-guest-'));
    const program = join(folder, 'crash');
    const source = fromHere('../../../libs/minidump/test/programs/crash.c');
    execFileSync('gcc', ['-g', '-O0', '-fno-omit-frame-pointer', '-o', program, source, '-lpthread', '-ldl']);
    const packages = installed(['services/crash-collector']);
    const files = { ...packages.files, '/opt/crash': program };
    const guest = await bootGuest({ node: true, cid: CID, files });
    await guest.sh(packages.script);
    const run = join(folder, 'run');
    makeVmDirectory(CID, run);
    await guest.vsock.serve(vmSocketPath(CID, run));
    const it = new CrashingGuest(guest, folder, program);
    await it.listen();
    return it;
  }

  /** Takes reports, from now on. */
  async listen(): Promise<void> {
    const handlers = crashListener({
      directory: this.#directory,
      consent: () => this.consent,
      onFailure: (failure) => this.failures.push(failure),
    });
    this.#server = await serveRpc('vsock::7779', (router) => router.service(CrashListener, handlers), {
      listen: { via: 'directories', runtimeDirectory: join(this.folder, 'run') },
    });
  }

  /** Is not there, from now on. */
  async leave(): Promise<void> {
    await this.#server?.close();
  }

  /** Runs a script in which the program crashes, and waits until its handlers, too, have ended. */
  async crashing(script: string): Promise<void> {
    await this.guest.sh(`set +e\n${script}\nwhile pidof node > /dev/null; do sleep 0.1; done`);
  }

  /** The next report that arrives, or has. */
  async arrived(): Promise<Arrived> {
    const meta = await vi.waitUntil(() => this.#news()[0], PATIENT);
    this.#seen.add(meta);
    const lines = readFileSync(join(this.#directory, meta), 'utf8').trimEnd().split('\n');
    const values = new Map(
      lines.map((line): [string, string] => [line.replace(/=.*/, ''), line.replace(/^[^=]*=/, '')]),
    );
    const file = (key: string) => join(this.#directory, basename(values.get(key) ?? ''));
    return {
      meta: values,
      dump: file('payload'),
      processTree: readFileSync(file('upload_text_process_tree'), 'utf8'),
    };
  }

  /** How many have arrived that nobody has looked at. */
  get news(): number {
    return this.#news().length;
  }

  /** What the kernel and the handlers have logged in the guest. */
  async kernelLog(): Promise<string> {
    return await this.guest.sh('dmesg');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
    await this.guest[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #directory(): string {
    return join(this.folder, 'reports');
  }

  #news(): string[] {
    try {
      return readdirSync(this.#directory).filter((name) => name.endsWith('.meta') && !this.#seen.has(name));
    } catch {
      return [];
    }
  }
}
