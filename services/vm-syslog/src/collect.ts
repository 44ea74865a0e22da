import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Context, ExitCode, ExitError, type Log, passedSockets } from '@vm-tools/daemon';
import {
  Aggregator,
  type Batch,
  DevLogInUseError,
  DevLogServer,
  KmsgReader,
  type LogRecord,
  type RecordTaker,
  Spill,
  SpillInUseError,
} from '@vm-tools/syslog';
import { createVmTransport } from '@vm-tools/vm-rpc';
import { formatAddress, VsockError } from '@vm-tools/vsock';
import { batchSender } from './batch-sender.ts';
import { KernelPosition } from './kernel-position.ts';
import { logRequestFormat } from './log-request-format.ts';
import { become, identityOf } from './privileges.ts';
import type { syslogProgram } from './syslog-program.ts';

type Options = Context<typeof syslogProgram.options, typeof syslogProgram.operands>['options'];

/** A host that hangs is given up, and asked again. */
const CALL_MS = 30_000;
const LIMIT_INTERVAL_MS = 5000;
/** Messages that the kernel keeps for a socket of datagrams: it has 10 by itself, and systemd makes it as many as this. */
const QUEUE = 512;
const QUEUE_FILE = '/proc/sys/net/unix/max_dgram_qlen';

/** Collects and sends until the process is told to end. */
export async function collect({
  options,
  log,
  shutdown,
  serviceManager,
}: Context<typeof syslogProgram.options, typeof syslogProgram.operands>): Promise<undefined> {
  const { host, noKernel, socket, spool, user } = options;
  const transport = createVmTransport(host, { defaultTimeoutMs: CALL_MS });
  const sender = batchSender(transport);
  const identity = user && identityOf(user);
  const isSpooled = options.spoolBytes > 0 && makeSpool(spool, identity, log);
  const forward = (what: 'messages' | 'kernel', send: (batch: Batch, signal: AbortSignal) => Promise<void>) =>
    forwarding({ what, log, options, send, folder: isSpooled ? join(spool, what) : undefined });

  // What needs root comes first.
  widenQueue();
  const waiting = new LateSink();
  const devLog = new DevLogServer({ sink: waiting });
  devLog.on('full', () => log.warn('there is no more room: programs that log have to wait'));
  devLog.on('room', () => log.info('there is room again'));
  devLog.on('failing', (error) => log.error('a socket does not work', { error }));
  await listen(devLog, socket);
  const position = isSpooled ? new KernelPosition(spool) : undefined;
  const kernelWaiting = new LateSink();
  const kernelLog = noKernel ? undefined : openKernelLog(kernelWaiting, position, log);
  if (user) become(user);

  const messages = forward('messages', sender.sendUserLogs);
  const kernel = kernelLog && forward('kernel', sender.sendKernelLogs);
  waiting.sink = messages;
  if (kernel) kernelWaiting.sink = kernel;
  kernelLog?.on('lost', (records) =>
    kernel?.note(`${records} messages of the kernel were overwritten before they were read`),
  );
  kernelLog?.on('failing', (error) => log.error('the log of the kernel cannot be read any more', { error }));

  shutdown.onShutdown('end the connection', () => transport.abort());
  shutdown.onShutdown('send what there is', async () => {
    await Promise.all([messages.close(), kernel?.close()]);
    if (kernelLog) position?.write(kernelLog.sequence);
  });
  shutdown.onShutdown('stop receiving', async () => {
    kernelLog?.close();
    await devLog.close();
  });
  log.info('listening', { on: socket, to: formatAddress(host), kernel: kernelLog !== undefined });
  await serviceManager.notify({ ready: true, status: `the log goes to ${formatAddress(host)}` });
}

/** A sink that others read for before it is there: until then it is full. */
class LateSink implements RecordTaker {
  readonly #made = Promise.withResolvers<Aggregator>();
  #sink: Aggregator | undefined;

  set sink(sink: Aggregator) {
    this.#sink = sink;
    this.#made.resolve(sink);
  }

  write(record: LogRecord): boolean {
    if (!this.#sink) return false;
    // Nothing but a priority and a time.
    if (record.contentStart >= record.messageEnd) return true;
    return this.#sink.write(record);
  }

  async ready(): Promise<void> {
    await (await this.#made.promise).ready();
  }
}

function forwarding(task: {
  readonly what: string;
  readonly log: Log;
  readonly options: Options;
  readonly send: (batch: Batch, signal: AbortSignal) => Promise<void>;
  readonly folder: string | undefined;
}): Aggregator {
  const { flushMs, flushBytes, limit, memoryBytes, spoolBytes } = task.options;
  const log = task.log.with({ of: task.what });
  const aggregator = new Aggregator({
    format: logRequestFormat,
    send: task.send,
    ...{ flushMs, flushBytes, maxMemoryBytes: memoryBytes, tag: 'vm_syslog' },
    ...(task.folder === undefined ? {} : { spill: openSpill(task.folder, spoolBytes) }),
    ...(limit === 0
      ? {}
      : { rateLimit: { messages: limit * (LIMIT_INTERVAL_MS / 1000), intervalMs: LIMIT_INTERVAL_MS } }),
  });
  aggregator.on('failing', (error) =>
    log.warn('the host does not take the log: it is kept until it does', { error }),
  );
  aggregator.on('recovered', () => log.info('the host takes the log again'));
  aggregator.on('lost', (records, why) => log.warn('messages are lost', { records, why }));
  return aggregator;
}

function openSpill(folder: string, maxBytes: number): Spill {
  try {
    return new Spill(folder, { maxBytes });
  } catch (error) {
    if (!(error instanceof SpillInUseError)) throw error;
    throw new ExitError(error.message, { exitCode: ExitCode.unavailable, code: error.code, cause: error });
  }
}

/** @returns false: there is no place for it, and memory must do */
function makeSpool(folder: string, identity: { uid: number; gid: number } | undefined, log: Log): boolean {
  try {
    // Whoever it becomes must get there: only the last directory is its own.
    mkdirSync(dirname(folder), { recursive: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (identity) chownSync(folder, identity.uid, identity.gid);
    return true;
  } catch (error) {
    log.warn('records cannot wait in files', { error });
    return false;
  }
}

/** Bursts of programs that do not wait for an answer fit better. As systemd does it at boot; without the right to, it stays. */
function widenQueue(): void {
  try {
    if (Number(readFileSync(QUEUE_FILE, 'utf8')) < QUEUE) writeFileSync(QUEUE_FILE, `${QUEUE}`);
  } catch {
    // Not root, or /proc is not writable.
  }
}

async function listen(devLog: DevLogServer, path: string): Promise<void> {
  const passed = passedSockets();
  try {
    for (const { fd } of passed) await devLog.adopt(fd);
    if (passed.length === 0) await devLog.listen(path);
  } catch (error) {
    if (!(error instanceof DevLogInUseError || error instanceof VsockError)) throw error;
    throw new ExitError(error.message, { exitCode: ExitCode.unavailable, code: error.code, cause: error });
  }
}

function openKernelLog(
  sink: RecordTaker,
  position: KernelPosition | undefined,
  log: Log,
): KmsgReader | undefined {
  const after = position?.read();
  try {
    return new KmsgReader({ sink, from: after === undefined ? 'start' : { after } });
  } catch (error) {
    log.warn('the log of the kernel cannot be read', { error });
    return undefined;
  }
}
