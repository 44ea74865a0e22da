import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeProgram } from '../native-program.ts';
import { version9s } from './installed.ts';

/** Ours, the floor, and Debian's diod. */
export const peerNames = ['9s', 'limit9p', 'diod'] as const;
export type PeerName = (typeof peerNames)[number];

/** What a ratio is a ratio to. */
export const FLOOR: PeerName = 'limit9p';
/** Whose ratios have targets, and what the guard watches. */
export const OURS: PeerName = '9s';

export interface StartOptions {
  /** The tree to serve, an absolute path. */
  readonly root: string;
  /** Where the socket goes. */
  readonly folder: string;
  readonly cpu: number;
  /** The file of the program 9s; without it, a program that serves as 9s does runs from the sources. */
  readonly installed: string | undefined;
  /** 9s, from the sources: microseconds of CPU that each call of the filesystem burns. */
  readonly slowDown?: number | undefined;
  /** Further options of the installed 9s. */
  readonly options?: readonly string[];
}

/** A peer that cannot take part here; the run goes on without it, and says so. */
export class AbsentPeerError extends Error {
  readonly code = 'ERR_ABSENT_PEER';
}

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 3_000;
/** Of what a server says on standard error, the end is kept. */
const KEPT_CHARACTERS = 4_000;

/** A server that runs, pinned to a CPU, and listens on a Unix socket. Ends with `await using`. */
export class Peer implements AsyncDisposable {
  readonly name: PeerName;
  readonly socket: string;
  /** The directory that a client names in Tattach. */
  readonly aname: string;
  /** diod has no Tunlinkat. */
  readonly unlink: 'at' | 'remove';
  readonly #child: ChildProcess;
  #said = '';

  private constructor(name: PeerName, socket: string, child: ChildProcess, root: string) {
    this.name = name;
    this.socket = socket;
    this.aname = name === 'diod' ? root : '/';
    this.unlink = name === 'diod' ? 'remove' : 'at';
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-KEPT_CHARACTERS);
    });
  }

  /**
   * Starts a server and waits until it accepts connections.
   *
   * @throws AbsentPeerError when its program is not installed
   */
  static async start(name: PeerName, options: StartOptions): Promise<Peer> {
    const socket = join(options.folder, `${name}.sock`);
    const argv = commandLine(name, socket, options);
    // taskset(1) becomes what it starts: the process id is the server's.
    const child = spawn('taskset', ['-c', String(options.cpu), ...argv], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const peer = new Peer(name, socket, child, options.root);
    const failed = once(child, 'error').then(([error]) => {
      throw spawnError(error as NodeJS.ErrnoException);
    });
    failed.catch(() => {});
    try {
      await Promise.race([peer.#listens(), failed]);
    } catch (error) {
      await peer.stop();
      throw error;
    }
    return peer;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** What it last said on standard error. */
  get said(): string {
    return this.#said.trim();
  }

  /** The signal that killed it or the status that it ended with; nothing while it runs. */
  get ending(): string | undefined {
    return (
      this.#child.signalCode ?? (this.#child.exitCode === null ? undefined : `status ${this.#child.exitCode}`)
    );
  }

  get hasEnded(): boolean {
    return this.ending !== undefined;
  }

  async stop(): Promise<void> {
    if (this.#child.pid === undefined || this.hasEnded) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exit;
    clearTimeout(late);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #listens(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!listens(this.socket)) {
      if (this.hasEnded) {
        throw new Error(
          `${this.name} ended with ${this.ending} before it listened on ${this.socket}:\n${this.said}`,
        );
      }
      if (Date.now() > deadline) {
        throw new Error(
          `${this.name} does not listen on ${this.socket} after ${START_TIMEOUT_MS} ms:\n${this.said}`,
        );
      }
      await sleep(20);
    }
  }
}

/** Resolves to what must be known of a program to know what was measured. */
export function peerVersion(name: PeerName): string {
  if (name === 'limit9p') return 'native/limit9p.c';
  if (name === '9s') return version9s();
  try {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholder
    return execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'diod'], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch {
    return 'not from a Debian package';
  }
}

function commandLine(name: PeerName, socket: string, start: StartOptions): string[] {
  const { root, installed, slowDown, options = [] } = start;
  switch (name) {
    case 'limit9p':
      return [nativeProgram('limit9p'), root, socket];
    case 'diod':
      // Without the file that Debian installs, which may export something else.
      return [diod(), '-f', '-n', '-c', '/dev/null', '-L', 'stderr', '-e', root, '-l', socket];
    case '9s':
      if (installed !== undefined) {
        return [process.execPath, installed, '--root', root, ...options, `unix:${socket}`];
      }
      return [
        process.execPath,
        '--conditions=@vm-tools/source',
        '--disable-warning=ExperimentalWarning',
        join(import.meta.dirname, 'threaded-server.ts'),
        root,
        socket,
        ...(slowDown === undefined ? [] : [String(slowDown)]),
      ];
  }
}

/** It is in sbin, which is not on everyone's PATH. */
function diod(): string {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  const found = folders.map((folder) => join(folder, 'diod')).find((path) => existsSync(path));
  if (found === undefined) {
    throw new AbsentPeerError('diod is not installed: apt-get install --no-install-recommends diod');
  }
  return found;
}

/** Without connecting, which would leave its traces in the server's memory: by the flags of proc(5), /proc/net/unix. */
function listens(path: string): boolean {
  const ACCEPTS_CONNECTIONS = '00010000';
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .some((line) => line.endsWith(` ${path}`) && line.split(' ')[3] === ACCEPTS_CONNECTIONS);
}

export function spawnError(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return error;
  return new Error(`there is no ${error.path ?? 'such program'}: apt-get install util-linux`, {
    cause: error,
  });
}
