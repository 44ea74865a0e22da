import { bench9p } from './9p/bench.ts';
import { UsageError } from './command-line.ts';
import { benchMinidump } from './minidump/bench.ts';
import { benchPstore } from './pstore/bench.ts';
import { benchSyslog } from './syslog/bench.ts';
import { benchVhostUserVsock } from './vhost-user-vsock/bench.ts';
import { benchVsock } from './vsock/bench.ts';

/** `npm run bench -- NAME [OPTION]...`: the benchmarks by name. Each resolves to an exit status. */
const benchmarks: Readonly<Record<string, (args: string[], signal: AbortSignal) => Promise<number>>> = {
  '9p': bench9p,
  minidump: benchMinidump,
  pstore: benchPstore,
  syslog: benchSyslog,
  'vhost-user-vsock': benchVhostUserVsock,
  vsock: benchVsock,
};

const [name = '', ...args] = process.argv.slice(2);
const run = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
const interrupt = new AbortController();
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  // What was started must end with us, so an interrupt runs through the same cleaning up as an error.
  process.once(signal, () => {
    process.exitCode = status;
    interrupt.abort(new Error(`interrupted by ${signal}`));
  });
}

if (!run) {
  console.error(
    `usage: npm run bench -- ${Object.keys(benchmarks).join('|')} [OPTION]...  (--help tells more)`,
  );
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await run(args, interrupt.signal);
  } catch (error) {
    console.error(`bench ${name}: ${(error as Error).message}`);
    process.exitCode ??= error instanceof UsageError ? 2 : 1;
  }
}
