import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DebianPrograms } from '@vm-tools/guest';
import { vi } from 'vitest';

const patience = { timeout: 120_000, interval: 20 };
const tlsFile = (name: string) => fileURLToPath(new URL(`./data/tls/${name}`, import.meta.url));

/** Debian's rsyslogd as a receiver: what came is in a file. */
export class Rsyslogd implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder;
    this.#child = child;
  }

  /**
   * @param folder for its files; the next one in the same folder goes on with the same file
   * @param kind what it receives by
   */
  static async start(folder: string, kind: 'tcp' | 'tls' | 'datagram'): Promise<Rsyslogd> {
    const programs = await DebianPrograms.of(['rsyslog', 'rsyslog-gnutls']);
    const marker = join(folder, kind === 'datagram' ? 'log' : 'port');
    if (existsSync(marker)) throw new Error(`${marker} is still there: remove it first`);
    const driver =
      kind === 'tls' ? ' StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.Authmode="anon"' : '';
    const input =
      kind === 'datagram'
        ? `module(load="imuxsock" SysSock.Use="off")
           input(type="imuxsock" Socket="${marker}" CreatePath="on")`
        : `module(load="imtcp"${driver})
           input(type="imtcp" address="127.0.0.1" port="0" ListenPortFileName="${marker}")`;
    const configuration = join(folder, 'rsyslog.conf');
    writeFileSync(
      configuration,
      `global(DefaultNetstreamDriverCAFile="${tlsFile('authority.pem')}" DefaultNetstreamDriverCertFile="${tlsFile('server.pem')}"
              DefaultNetstreamDriverKeyFile="${tlsFile('server.key')}" maxMessageSize="64k")
       ${input}
       template(name="seen" type="list") {
         property(name="pri") constant(value=" ") property(name="hostname") constant(value=" ") property(name="app-name") constant(value=" ")
         property(name="procid") constant(value="|") property(name="msg") constant(value="\\n")
       }
       action(type="omfile" file="${join(folder, 'out')}" template="seen")\n`,
    );
    const [command, ...args] = programs.argv(
      'usr/sbin/rsyslogd',
      ...['-M', programs.path('rsyslog'), '-n', '-f', configuration, '-i', join(folder, 'pid')],
    );
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString();
    });
    const started = new Rsyslogd(folder, child);
    await vi.waitUntil(() => {
      if (child.exitCode !== null) throw new Error(`rsyslogd has ended with ${child.exitCode}: ${said}`);
      return existsSync(marker) && (kind === 'datagram' || readFileSync(marker, 'utf8') !== '');
    }, patience);
    return started;
  }

  get port(): number {
    return Number(readFileSync(join(this.#folder, 'port'), 'utf8'));
  }

  /** `PRI HOSTNAME APP-NAME PROCID|MESSAGE` of each that it has written. */
  get lines(): string[] {
    const path = join(this.#folder, 'out');
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
  }

  /** Resolves when there are so many lines. */
  async until(count: number): Promise<string[]> {
    await vi.waitUntil(() => this.lines.length >= count, patience);
    return this.lines;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
