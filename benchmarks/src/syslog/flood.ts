import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Aggregator, type Batch, DevLogServer, rfc3164Format } from '@vm-tools/syslog';
import { cache } from '../folders.ts';
import { nativeProgram } from '../native-program.ts';
import { figure, table } from '../table.ts';
import type { Measured, Part } from './part.ts';

const MESSAGES = 1000;
const MICROS = 3000;
/** What a receiver takes for a batch. */
const RECEIVER_MS = 5;
/** Longest wait for others of the batch. */
const FLUSH_MS = 100;
const TARGET_MS = 100;

interface Row {
  readonly name: string;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

/** `--only flood`: how long one who says little has to wait for one who never stops. */
export const benchFlood: Part = async ({ signal }): Promise<Measured> => {
  const rows = [await latencies('alone', 0, signal), await latencies('beside one that floods', 1, signal)];
  const titles = ['p50 ms:', 'p99 ms:', 'worst ms:', `p99 at most ${TARGET_MS} beyond ${FLUSH_MS}`];
  const cells = rows.map(({ name, p50, p99, worst }) => [
    name,
    figure(p50),
    figure(p99),
    figure(worst),
    p99 <= FLUSH_MS + TARGET_MS ? 'yes' : 'no',
  ]);
  return { rows, table: table(['a quiet sender, from its send to its receiver', ...titles], cells) };
};

async function latencies(name: string, floods: number, signal: AbortSignal): Promise<Row> {
  const folder = mkdtempSync(join(cache, 'flood-'));
  const path = join(folder, 'log');
  const waited: number[] = [];
  const send = async ({ bytes }: Batch): Promise<void> => {
    await sleep(RECEIVER_MS);
    const now = Number(process.hrtime.bigint());
    // Of the quiet one alone: the other counts from 0.
    for (const [, at] of Buffer.from(bytes)
      .toString('latin1')
      .matchAll(/: (\d{12,}) x/g))
      waited.push((now - Number(at)) / 1e6);
  };
  const sink = new Aggregator({ format: rfc3164Format(), send, flushMs: FLUSH_MS });
  const server = new DevLogServer({ sink });
  const flooding: ChildProcess[] = [];
  try {
    await server.listen(path);
    const load = nativeProgram('logload');
    for (let i = 0; i < floods; i++)
      flooding.push(spawn(load, [path, '1', '1000000000', '200'], { stdio: 'ignore' }));
    // The flood is in full course when it begins.
    await sleep(1000, undefined, { signal });
    const quiet = spawn(load, [path, 'quiet', String(MESSAGES), String(MICROS)], { stdio: 'ignore', signal });
    const [status] = await once(quiet, 'exit');
    if (status !== 0) throw new Error(`logload has ended with ${status}`);
    for (const each of flooding) each.kill('SIGKILL');
    await server.close();
    await sink.flush();
  } finally {
    for (const each of flooding) each.kill('SIGKILL');
    await server.close();
    await sink.close();
    rmSync(folder, { recursive: true });
  }
  if (waited.length !== MESSAGES)
    throw new Error(`${MESSAGES - waited.length} messages of the quiet sender are lost`);
  waited.sort((a, b) => a - b);
  const at = (share: number) => waited[Math.ceil(share * waited.length) - 1] as number;
  return { name, p50: at(0.5), p99: at(0.99), worst: at(1) };
}
