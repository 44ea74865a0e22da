import { type Context, ExitCode, ExitError, exitCodeOf } from '@vm-tools/daemon';
import { VsockDevice } from '@vm-tools/vhost-user-vsock';
import { makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { rescueLostVm } from './lost-vm.ts';
import type { program } from './program.ts';

type ServeContext = Context<typeof program.options, typeof program.operands>;

/** Serves until the process is told to end. */
export async function serve({ options, log, shutdown, serviceManager }: ServeContext): Promise<undefined> {
  const { guestCid, maxConnections, socket } = options;
  const device = new VsockDevice({ guestCid, maxConnections });
  shutdown.onShutdown('close the device', () => device.close());
  device.on('attached', () => log.info('VM attached', { cid: guestCid }));
  device.on('detached', (error) => {
    if (error) log.error('VM disconnected', { cid: guestCid, error });
    else log.info('VM detached', { cid: guestCid });
  });
  device.on('ringError', (error) =>
    log.error('the guest broke its device, which waits for its reset', { cid: guestCid, error }),
  );

  const udsPath = options.udsPath ?? inVmDirectory(guestCid);
  await opened('--uds-path', udsPath, device.serve(udsPath));
  await opened('--socket', socket, device.attach(socket));
  log.info('listening', { cid: guestCid, socket, udsPath });
  if (options.qmp !== undefined) {
    await rescueLostVm({ ...options.qmpNames, qmp: options.qmp, socket, what: options.lostVm, log });
  }
  await serviceManager.notify({ ready: true, status: `vsock of the guest with CID ${guestCid}` });
}

function inVmDirectory(cid: number): string {
  makeVmDirectory(cid);
  return vmSocketPath(cid);
}

/** What is wrong with an option's socket, as an end of the program. */
async function opened(option: string, path: string, opening: Promise<void>): Promise<void> {
  await opening.catch((cause: NodeJS.ErrnoException) => {
    const inUse = cause.code === 'EADDRINUSE';
    const remedy = inUse ? 'another process listens there, or it is no socket' : 'name one that can be made';
    throw new ExitError(`${option} ${path}: ${cause.message}; ${remedy}`, {
      exitCode: inUse
        ? ExitCode.unavailable
        : exitCodeOf(cause) === ExitCode.noPermission
          ? ExitCode.noPermission
          : ExitCode.cannotCreate,
      code: cause.code ?? 'ERR_SOCKET',
      cause,
    });
  });
}
