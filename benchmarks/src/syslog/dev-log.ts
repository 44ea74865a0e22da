import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cache } from '../folders.ts';
import { median } from '../median.ts';
import { nativeProgram } from '../native-program.ts';
import { figure, table } from '../table.ts';
import { Logger, type LoggerName, QUEUE } from './loggers.ts';
import type { Measured, Part } from './part.ts';

const MESSAGES = 1_000_000;
const SENDERS = 8;
const BYTES = 200;
const MOST_MEGABYTES = 150;
/** A file that has not grown for so long is whole. */
const QUIET_MS = 500;
const NEWLINE = 0x0a;

interface Run {
  readonly perSecond: number;
  /** Of the logger, for each message. */
  readonly cpuNanoseconds: number;
  readonly lost: number;
  readonly megabytes: number;
}

/** `--only devlog`. */
export const benchDevLog: Part = async ({ rounds, signal }): Promise<Measured> => {
  const names: LoggerName[] = ['ours', 'rsyslogd', 'syslog-ng'];
  const runs = new Map<LoggerName, Run[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Another one begins each time.
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length] as LoggerName;
      runs.get(name)?.push(await runOnce(name, signal));
    }
  }
  const rows = names.map((name) => ({ name, ...middle(runs.get(name) ?? []) }));
  return { rows, table: devLogTable(rows) };
};

async function runOnce(name: LoggerName, signal: AbortSignal): Promise<Run> {
  const load = nativeProgram('logload');
  const folder = mkdtempSync(join(cache, 'devlog-'));
  try {
    await using logger = await Logger.start(name, folder, signal);
    const before = logger.cpuSeconds;
    const args = [logger.socket, SENDERS, MESSAGES, BYTES].map(String);
    const { stdout } = await promisify(execFile)(load, args, { signal });
    const { begun } = JSON.parse(stdout) as { begun: number };
    const ended = await endOf(logger.file, signal);
    return {
      perSecond: MESSAGES / (ended - begun),
      cpuNanoseconds: ((logger.cpuSeconds - before) / MESSAGES) * 1e9,
      lost: MESSAGES - checked(name, readFileSync(logger.file)),
      megabytes: logger.megabytes,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** When the last was written, in seconds since 1970. */
async function endOf(file: string, signal: AbortSignal): Promise<number> {
  for (let size = -1; ; ) {
    await sleep(QUIET_MS, undefined, { signal });
    const now = statSync(file);
    if (now.size === size) return now.mtimeMs / 1000;
    size = now.size;
  }
}

/**
 * How many messages are in the file.
 * @throws Error what one sender wrote is not in its order, or not whole
 */
function checked(name: string, bytes: Buffer): number {
  const last = new Int32Array(SENDERS).fill(-1);
  let lines = 0;
  for (
    let start = 0, end = bytes.indexOf(NEWLINE);
    end >= 0;
    start = end + 1, end = bytes.indexOf(NEWLINE, start)
  ) {
    const head = bytes.toString('latin1', start, Math.min(end, start + 64));
    const [, sender = -1, number = -1] = /s(\d)\[\d+\]: (\d+) x/.exec(head)?.map(Number) ?? [];
    const isNext = number > (last[sender] ?? Number.POSITIVE_INFINITY);
    if (!isNext) throw new Error(`${name} wrote a message out of order, or broken: ${head}`);
    last[sender] = number;
    lines++;
  }
  return lines;
}

function middle(runs: readonly Run[]): Run {
  const of = (key: keyof Run) => median(runs.map((run) => run[key]));
  return {
    perSecond: of('perSecond'),
    cpuNanoseconds: of('cpuNanoseconds'),
    lost: Math.max(...runs.map(({ lost }) => lost)),
    megabytes: Math.max(...runs.map(({ megabytes }) => megabytes)),
  };
}

function devLogTable(rows: readonly (Run & { name: LoggerName })[]): string {
  const peer = rows.find(({ name }) => name === 'rsyslogd') as Run;
  const titles = ['messages/s:', 'CPU us each:', 'lost:', 'most MB:', 'reached'];
  return table(
    [`/dev/log to a file: ${SENDERS} senders, ${BYTES} bytes, queue of ${QUEUE}`, ...titles],
    rows.map(({ name, perSecond, cpuNanoseconds, lost, megabytes }) => {
      const isReached =
        perSecond >= peer.perSecond &&
        cpuNanoseconds <= peer.cpuNanoseconds &&
        lost === 0 &&
        megabytes < MOST_MEGABYTES;
      return [
        name === 'ours' ? 'DevLogServer to FileSink' : name,
        figure(perSecond),
        figure(cpuNanoseconds / 1000),
        String(lost),
        figure(megabytes),
        name === 'ours' ? (isReached ? 'yes' : 'no') : '',
      ];
    }),
  );
}
