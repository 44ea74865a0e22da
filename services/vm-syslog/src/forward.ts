import { type Context, cannotListen, ExitCode, ExitError, vmAddress } from '@vm-tools/daemon';
import { DevLogInUseError } from '@vm-tools/syslog';
import { serveRpc } from '@vm-tools/vm-rpc';
import { LogCollector } from '@vm-tools/vm-rpc/vm-host';
import { formatAddress } from '@vm-tools/vsock';
import { JournalInUseError } from './batch-journal.ts';
import { openControlSocket } from './control-socket.ts';
import { Forwarder, VmError } from './forwarder.ts';
import type { forwarderProgram } from './forwarder-program.ts';
import { HostSyslog } from './host-syslog.ts';
import { LIMIT_INTERVAL_MS } from './vm-log.ts';

const PORT = 9999;
/** A batch of vm_syslog has 256 KiB, or is one message. */
const MAX_MESSAGE_BYTES = 1 << 20;

/** Serves until the process is told to end. */
export async function forward({
  options,
  log,
  shutdown,
  serviceManager,
}: Context<typeof forwarderProgram.options, typeof forwarderProgram.operands>): Promise<undefined> {
  const { logDestination: directory, maxFileBytes, keep, gzip, sync, limit } = options;
  const isToFiles = directory !== 'syslog';
  const syslog = options.syslog || !isToFiles ? new HostSyslog(options.syslogSocket) : undefined;
  const maxRecords = limit === 0 ? Number.POSITIVE_INFINITY : (limit * LIMIT_INTERVAL_MS) / 1000;
  const forwarder = new Forwarder({
    files: isToFiles ? { directory, maxFileBytes, kept: keep, gzip, sync, maxRecords } : undefined,
    syslog,
    onTrouble: (what, fields) => log.warn(what, fields),
  });
  shutdown.onShutdown('close the files', async () => {
    await forwarder.close();
    syslog?.close();
  });
  for (const vm of options.vm) await forwarder.add(vm).catch(cannotStart);
  process.on('SIGHUP', () => {
    log.info('SIGHUP: opening all files anew');
    forwarder.reopen();
  });
  if (options.control !== undefined) {
    const control = await openControlSocket(options.control, forwarder).catch(cannotStart);
    shutdown.onShutdown('close the control socket', () => control.close());
  }
  const server = await serveRpc(
    vmAddress(options.listen, '--listen', PORT),
    (router) => router.service(LogCollector, forwarder.service),
    {
      maxMessageBytes: MAX_MESSAGE_BYTES,
      maxConnectionsPerPeer: 8,
      onRefused: (peer, error) => log.warn('connection refused', { peer, error }),
      onHandlerError: ({ error, method }) => log.error('records were not taken', { error, method }),
    },
  ).catch(cannotStart);
  shutdown.onShutdown('end the server', () => server.close());
  log.info('listening', { on: formatAddress(server.address), to: directory });
  await serviceManager.notify({ ready: true, status: `logs of VMs go to ${directory}` });
}

function cannotStart(error: unknown): never {
  if (error instanceof VmError) {
    throw new ExitError(`--vm: ${error.message}`, {
      exitCode: ExitCode.usage,
      code: error.code,
      cause: error,
    });
  }
  if (!(error instanceof JournalInUseError || error instanceof DevLogInUseError)) cannotListen(error);
  throw new ExitError(error.message, { exitCode: ExitCode.unavailable, code: error.code, cause: error });
}
