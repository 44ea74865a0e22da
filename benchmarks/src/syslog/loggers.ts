import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DebianPrograms } from '@vm-tools/guest';

export type LoggerName = 'ours' | 'rsyslogd' | 'syslog-ng';

/** Messages that a datagram socket queues where systemd is (net.unix.max_dgram_qlen), as on every Debian; the kernel's own default is 10. */
export const QUEUE = 512;
const START_MS = 20_000;

/** A program that writes what comes to `log` in its folder into `out`, line by line, in the traditional format. */
export class Logger implements AsyncDisposable {
  readonly socket: string;
  readonly file: string;
  readonly #child: ChildProcess;

  private constructor(folder: string, child: ChildProcess) {
    this.socket = join(folder, 'log');
    this.file = join(folder, 'out');
    this.#child = child;
  }

  /** Starts it, and resolves when it receives. */
  static async start(name: LoggerName, folder: string, signal: AbortSignal): Promise<Logger> {
    const command = await commandOf(name, folder);
    // A network name space has a length of queues of its own.
    const script = 'echo "$0" > /proc/sys/net/unix/max_dgram_qlen && exec "$@"';
    const child = spawn('unshare', ['-n', '/bin/sh', '-c', script, String(QUEUE), ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString();
    });
    const logger = new Logger(folder, child);
    const deadline = Date.now() + START_MS;
    while (!existsSync(logger.socket)) {
      if (child.exitCode !== null || Date.now() > deadline || signal.aborted) {
        await logger[Symbol.asyncDispose]();
        signal.throwIfAborted();
        throw new Error(`${name} does not start; it needs root (unshare -n). It says: ${said}`);
      }
      await sleep(20);
    }
    return logger;
  }

  /** Seconds of CPU that it has used. */
  get cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    // utime and stime, in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** The most memory it had, in millions of bytes. */
  get megabytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return (Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

async function commandOf(name: LoggerName, folder: string): Promise<string[]> {
  const [socket, file, configuration] = ['log', 'out', 'configuration'].map((each) => join(folder, each));
  switch (name) {
    case 'ours': {
      const program = fileURLToPath(new URL('./dev-log-program.ts', import.meta.url));
      const flags = ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'];
      return [process.execPath, ...flags, program, socket as string, file as string];
    }
    case 'rsyslogd': {
      // Queues, threads and batches are what it has without being told.
      writeFileSync(
        configuration as string,
        `module(load="imuxsock" SysSock.Use="off")
         input(type="imuxsock" Socket="${socket}" CreatePath="on")
         action(type="omfile" file="${file}" template="RSYSLOG_TraditionalFileFormat")\n`,
      );
      const programs = await DebianPrograms.of(['rsyslog', 'rsyslog-gnutls']);
      const flags = [
        '-n',
        '-M',
        programs.path('rsyslog'),
        '-f',
        configuration as string,
        '-i',
        join(folder, 'pid'),
      ];
      return programs.argv('usr/sbin/rsyslogd', ...flags);
    }
    case 'syslog-ng': {
      // Without flow control it drops what its queue has no room for, and with lines one by one it is slower still.
      writeFileSync(
        configuration as string,
        `@version: 3.38
         options { flush-lines(100); };
         source in { unix-dgram("${socket}"); };
         destination out { file("${file}"); };
         log { source(in); destination(out); flags(flow-control); };\n`,
      );
      const programs = await DebianPrograms.of(['syslog-ng-core'], ['usr/lib/syslog-ng']);
      const root = join(programs.folder, 'usr/lib/syslog-ng');
      const modules = join(root, readdirSync(root).find((each) => /^\d/.test(each)) ?? '');
      const own = ['persist-file', 'control', 'pidfile'].map((each) => `--${each}=${join(folder, each)}`);
      const flags = ['-F', '--no-caps', '-f', configuration as string, `--module-path=${modules}`, ...own];
      return programs.argv('usr/sbin/syslog-ng', ...flags);
    }
  }
}
