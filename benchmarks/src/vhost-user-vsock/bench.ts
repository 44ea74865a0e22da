import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, nativeProgram as guestProgram } from '@vm-tools/guest';
import { parseValues, UsageError } from '../command-line.ts';
import { median } from '../median.ts';
import { nativeProgram } from '../native-program.ts';
import { figure, ratio, table } from '../table.ts';
import { DeviceProcess } from './device-process.ts';
import { floorNanoseconds, startEnds } from './ends.ts';
import { GuestCpus } from './thread-cpu.ts';
import { TREE, trees } from './trees.ts';
import { type Workload, workloads } from './workloads.ts';

const help = `usage: npm run bench -- vhost-user-vsock [--rounds N] [--mebibytes N] [--json]

A QEMU guest's vsock by vhost_user_vsock beside virtio-serial: throughput, round trips, 9P; and what a packet costs the
device beside a C loop that moves the same data between shared memory and the same kind of socket. One guest, one run, in turns.

  --rounds N     how often each is measured (default 5)
  --mebibytes N  moved in each measurement of throughput (default 256)
  --json         results as JSON in place of tables`;

/** A device that the guest has as a file, by its transport. */
const SERIAL = '/dev/virtio-ports';

/** What was measured in one round: figures by name. */
type Round = Record<string, number>;

/** `npm run bench -- vhost-user-vsock`. Resolves to an exit status. */
export async function benchVhostUserVsock(args: string[], signal: AbortSignal): Promise<number> {
  const values = parseValues(args, {
    rounds: { type: 'string', default: '5' },
    mebibytes: { type: 'string', default: '256' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const rounds = Number(values.rounds);
  const bytes = Number(values.mebibytes) * 2 ** 20;
  if (!(rounds >= 1) || !(bytes >= 2 ** 20) || !Number.isInteger(bytes + rounds)) throw new UsageError(help);
  const results = await measure({ rounds, bytes, signal });
  console.log(values.json ? JSON.stringify(results, null, 2) : report(results));
  return 0;
}

interface MeasureOptions {
  readonly rounds: number;
  readonly bytes: number;
  readonly signal: AbortSignal;
}

async function measure({ rounds, bytes, signal }: MeasureOptions): Promise<Round[]> {
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-bench-vsock-'));
  try {
    await using device = await DeviceProcess.start(folder);
    const program = nativeProgram('vsockend');
    await using ends = await startEnds(program, { folder, bytes });
    await using guest = await bootGuest({
      files: { '/bin/vsock-peer': await guestProgram('vsock-peer') },
      signal,
      vm: {
        vsock: { socket: device.socket },
        ports: ends.ports.map(({ name, path }) => ({ name, connect: path })),
      },
    });
    const guestCpus = await GuestCpus.of(guest);
    // What is compiled when it is hot is compiled then.
    for (const workload of workloads)
      await guest.run(commandOf(workload, 'vsock', bytes), { timeoutMs: 600_000 });
    const results: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const figures: Round = {};
      for (const workload of workloads) {
        // Another one begins each time.
        const kinds = round % 2 === 0 ? (['vsock', 'serial'] as const) : (['serial', 'vsock'] as const);
        for (const kind of kinds) {
          const cpu = device.cpuNanoseconds();
          const [guestCpu, start] = [guestCpus.nanoseconds(), performance.now()];
          const output = await guest.run(commandOf(workload, kind, bytes), { timeoutMs: 600_000 });
          figures[`${kind} ${workload.name}, guest CPU`] =
            (guestCpus.nanoseconds() - guestCpu) / 1e6 / (performance.now() - start);
          figures[`${kind} ${workload.name}`] = workload.figureOf(output, bytes);
          if (kind === 'vsock' && workload.block)
            figures[`device ${workload.name}`] = (device.cpuNanoseconds() - cpu) / (bytes / workload.block);
        }
        if (workload.block)
          figures[`floor ${workload.name}`] = await floorNanoseconds(program, ends, workload, bytes);
        // Linux kicks for each packet that it sends; buffers to receive in it offers many at a time.
        if (workload.block && workload.end === 'sink') {
          const every = (workload.block * 1000) / (figures[`vsock ${workload.name}`] as number);
          figures[`kicked floor ${workload.name}`] = await floorNanoseconds(
            program,
            ends,
            workload,
            bytes,
            every,
          );
        }
      }
      Object.assign(figures, await trees(guest, round));
      results.push(figures);
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function commandOf(workload: Workload, kind: 'vsock' | 'serial', bytes: number): string[] {
  const where = kind === 'vsock' ? String(workload.port) : `${SERIAL}/${workload.end}`;
  return ['vsock-peer', workload.command, where, String(workload.count ?? bytes)];
}

function report(results: readonly Round[]): string {
  const of = (name: string) => median(results.map((round) => round[name] as number));
  const compared = [...workloads, ...TREE].map(({ name, unit, isBetter, target }) => {
    const [vsock, serial] = [of(`vsock ${name}`), of(`serial ${name}`)];
    const goal = target === undefined ? '' : `${isBetter === 'more' ? '>=' : '<='} ${target}`;
    return [name, unit, figure(vsock), figure(serial), ratio(vsock / serial), goal];
  });
  const guestCpu = workloads.map(({ name }) => [
    name,
    ...(['vsock', 'serial'] as const).map((kind) => percent(of(`${kind} ${name}, guest CPU`))),
  ]);
  const packets = workloads.flatMap(({ name, block, end }) => {
    if (!block) return [];
    const device = of(`device ${name}`);
    const row = (what: string, floor: number) => {
      const times = [figure(device / 1000), figure(floor / 1000), ratio(device / floor)];
      return [what, `${block / 1024} KiB`, ...times, '<= 2.5'];
    };
    const rows = [row(name, of(`floor ${name}`))];
    if (end === 'sink')
      rows.push(row(`${name}, beside one that is kicked as often`, of(`kicked floor ${name}`)));
    return rows;
  });
  return [
    table(['workload', 'unit', 'vsock:', 'virtio-serial:', 'ratio:', 'target:'], compared),
    '',
    table(['CPU of the guest, busy', 'vsock:', 'virtio-serial:'], guestCpu),
    '',
    table(['CPU of the device', 'for', 'us:', 'C loop, us:', 'ratio:', 'target:'], packets),
  ].join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
