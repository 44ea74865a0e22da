import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../folders.ts';
import { median } from '../median.ts';
import { type Cost, costTable, parseCostOptions, tellMemory, timeOf } from '../process-cost.ts';
import { Cores } from './cores.ts';
import { CrashHost } from './crash-host.ts';

const help = `usage: npm run bench -- minidump [--rounds N] [--json]

What core2minidump costs: a core of 1 GiB with 1,200 threads through a pipe, beside "cat > /dev/null" on the same pipe; and a small
one, beside a Node.js that does nothing; and what crash_collector costs with the small one, until crash_listener has kept the report.
The kernel must write cores to the current folder (kernel.core_pattern=core).

  --rounds N  how often (default 9); the figures are medians
  --json      results as JSON in place of a table`;

const program = join(repository, 'libs/minidump/dist/host/core2minidump.cjs');
const collector = join(repository, 'services/crash-collector/dist/main.cjs');
/** What gRPC, the question for consent and the way of a report to the disk of its host may add to a conversion. */
const REPORT_MS = 100;

/** `npm run bench -- minidump`. Resolves to an exit status. */
export async function benchMinidump(args: string[], signal: AbortSignal): Promise<number> {
  const { help: wanted, json, rounds } = parseCostOptions(args);
  if (wanted) {
    console.log(help);
    return 0;
  }
  const built = ['libs/linux', 'libs/minidump', 'services/crash-collector', 'services/crash-listener'];
  execFileSync(process.execPath, ['scripts/build.ts', ...built], { cwd: repository, stdio: 'pipe' });
  using cores = new Cores();
  await using host = await CrashHost.start(join(cores.folder, 'host'));
  const rows = measure(cores, host, rounds, signal);
  console.log(json ? JSON.stringify(rows, null, 2) : costTable(rows));
  return 0;
}

function measure(cores: Cores, host: CrashHost, rounds: number, signal: AbortSignal): Cost[] {
  const output = join(cores.folder, 'dump');
  const node = `'${process.execPath}'`;
  const commands = {
    node: `${node} -e 0`,
    cat: (core: string) => `cat '${core}' | cat > /dev/null`,
    convert: (core: string, flags = '') => `cat '${core}' | ${node} ${flags} '${program}' -q -o '${output}'`,
    collect: (core: string) =>
      `cat '${core}' | ${node} '${collector}' --user '${process.pid}:11:0:0:crash' --host '${host.address}' ` +
      `--spool '${output}.spool' --log-level warn`,
  };
  const small = cores.of('null');
  const large = cores.of('threads', '1200', '1024');
  const times = new Map<string, number[]>();
  for (let round = -1; round < rounds; round++) {
    for (const command of [
      commands.node,
      commands.cat(large),
      commands.convert(large),
      commands.convert(small),
      commands.collect(small),
    ]) {
      signal.throwIfAborted();
      const time = timeOf(() =>
        execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] }),
      );
      // The first one warms the page cache up.
      if (round >= 0) times.set(command, [...(times.get(command) ?? []), time]);
    }
  }
  const time = (command: string) => median(times.get(command) ?? []);
  const [idle, cat] = [time(commands.node), time(commands.cat(large))];
  return [
    {
      name: 'core of 1 GiB, 1,200 threads, through a pipe',
      measured: time(commands.convert(large)),
      target: 1.3 * cat + idle,
      unit: 'ms',
      note: `1.3 x cat (${cat.toFixed(0)} ms) + node -e 0 (${idle.toFixed(0)} ms)`,
    },
    {
      name: 'its peak of memory',
      measured: memoryOf(commands.convert(large, `--import '${tellMemory}'`)),
      target: 120,
      unit: 'MB',
      note: `for a core of ${(statSync(large).size / 1e6).toFixed(0)} MB`,
    },
    {
      name: 'small core, whole process',
      measured: time(commands.convert(small)),
      target: idle + 40,
      unit: 'ms',
      note: `node -e 0 (${idle.toFixed(0)} ms) + 40 ms, for ${(statSync(small).size / 1e3).toFixed(0)} kB`,
    },
    {
      name: 'crash_collector with it, until the host has kept the report',
      measured: time(commands.collect(small)),
      target: idle + 40 + REPORT_MS,
      unit: 'ms',
      note: `the same + ${REPORT_MS} ms for gRPC and the host`,
    },
  ];
}

function memoryOf(command: string): number {
  const kibibytes = execFileSync('sh', ['-c', `${command} 2>&1 >/dev/null`], { encoding: 'utf8' });
  return (Number(kibibytes) * 1024) / 1e6;
}
