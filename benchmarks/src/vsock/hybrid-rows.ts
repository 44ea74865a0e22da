import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectNet } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectHybrid } from '@vm-tools/vsock';
import { median } from '../median.ts';
import { nativeProgram } from '../native-program.ts';
import type { Row } from './row.ts';
import { type Open, startServer, timeOf, timeOfC, type Work } from './transfers.ts';

const MEBIBYTES = 256;
/** A transfer takes a twentieth of a second: many of them cost no more than a long one, and a disturbed one counts less. */
const REPEATED = 4;
/** Rounds in which Node.js compiles. */
const WARM_UP = 3;
/** Fewer than may wait to be accepted. */
const CONNECTIONS = 400;

/** Ours, a plain Unix socket of net, one that asks for a port and waits for the answer, a program in C that does. */
type Contender = 'hybrid' | 'unix' | 'asked' | 'c';

interface RowFacts {
  readonly unit: 'MB/s' | 'µs';
  /** Default: `connectHybrid`. */
  readonly ours?: Contender;
  /** Default: `unix`. */
  readonly beside?: Contender;
  readonly target?: number;
  readonly isAtLeast?: boolean;
}

/**
 * A hybrid socket of this host beside a plain Unix socket, both served by the same program in C.
 *
 * All of them on one CPU: where the kernel puts two processes that wake each other decides by a factor of ten how fast they are, which
 * was measured between two plain sockets too.
 */
export async function hybridRows({
  rounds,
  signal,
}: {
  rounds: number;
  signal: AbortSignal;
}): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-bench-'));
  const program = nativeProgram('stream');
  const paths = { hybrid: join(folder, 'vm.sock'), unix: join(folder, 'plain.sock') };
  const opens: Readonly<Record<Exclude<Contender, 'c'>, Open>> = {
    hybrid: (options) => connectHybrid({ path: paths.hybrid, port: 1024, ...options }),
    unix: async (options) => {
      const socket = connectNet({ path: paths.unix, ...options });
      await once(socket, 'connect');
      return socket;
    },
    // What a hybrid connection cannot do without: a question, and an answer of the other process.
    asked: async () => {
      const socket = connectNet(paths.hybrid);
      socket.write('CONNECT 1024\n');
      await once(socket, 'readable');
      socket.read();
      return socket;
    },
  };
  const [before = ''] = /[0-9a-f,]+$/m.exec(pin(process.pid)) ?? [];
  try {
    pin(process.pid, '1'); // what is started inherits it
    await using _hybrid = await startServer(program, ['hybrid', paths.hybrid]);
    await using _unix = await startServer(program, ['unix', paths.unix]);
    const row = async (what: string, work: Work, amount: number, facts: RowFacts): Promise<Row> => {
      const { unit, ours: us = 'hybrid', beside = 'unix', ...target } = facts;
      const times: Partial<Record<Contender, number[]>> = { [us]: [], [beside]: [] };
      for (let round = -WARM_UP; round < rounds * REPEATED; round++) {
        for (const kind of round % 2 ? [us, beside] : [beside, us]) {
          signal.throwIfAborted();
          const seconds =
            kind === 'c'
              ? timeOfC(program, 'open', ['hybrid', paths.hybrid], amount)
              : await timeOf(work, opens[kind], amount);
          if (round >= 0) times[kind]?.push(seconds);
        }
      }
      const [ours = [], plain = []] = [times[us], times[beside]];
      const isRate = unit === 'MB/s';
      const text = (seconds: number[]) =>
        `${(isRate ? amount / median(seconds) / 1e6 : (median(seconds) / amount) * 1e6).toFixed(0)} ${unit}`;
      const ratios = ours.map((hybrid, at) => {
        const other = plain[at] as number;
        return isRate ? other / hybrid : hybrid / other;
      });
      const [least, greatest] = [Math.min(...ratios), Math.max(...ratios)];
      return {
        what,
        ours: text(ours),
        other: `plain ${text(plain)}`,
        ratio: median(ratios),
        least,
        greatest,
        ...target,
      };
    };
    const bulk = { unit: 'MB/s', target: 0.95, isAtLeast: true } as const;
    const asked = { unit: 'µs', beside: 'asked', target: 1.5, isAtLeast: false } as const;
    return [
      await row('hybrid: sending', 'send', MEBIBYTES << 20, bulk),
      await row('hybrid: receiving', 'receive', MEBIBYTES << 20, bulk),
      await row(
        'hybrid: set-up, beside net with the same question and answer',
        'connect',
        CONNECTIONS,
        asked,
      ),
      await row('hybrid: set-up, beside net that only connects', 'connect', CONNECTIONS, { unit: 'µs' }),
      await row('a C program: set-up, beside net that only connects', 'connect', CONNECTIONS, {
        unit: 'µs',
        ours: 'c',
      }),
    ];
  } finally {
    pin(process.pid, before);
    rmSync(folder, { recursive: true });
  }
}

/** The CPUs of all threads of a process, as a mask: as they are, or as they are to be. */
function pin(pid: number, mask?: string): string {
  return execFileSync('taskset', ['-ap', ...(mask === undefined ? [] : [mask]), String(pid)], {
    encoding: 'utf8',
  });
}
