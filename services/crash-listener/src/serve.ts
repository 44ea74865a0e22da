import { join } from 'node:path';
import { consentByFile, crashListener } from '@vm-tools/crash-report';
import { type Context, cannotListen, vmAddress } from '@vm-tools/daemon';
import { serveRpc } from '@vm-tools/vm-rpc';
import { CrashListener } from '@vm-tools/vm-rpc/vm-crash';
import { formatAddress } from '@vm-tools/vsock';
import type { program } from './program.ts';

const PORT = 7779;

/** Serves until the process is told to end. */
export async function serve({
  options,
  operands,
  log,
  shutdown,
  serviceManager,
}: Context<typeof program.options, typeof program.operands>): Promise<undefined> {
  const { acceptCid, consent, directory, maxReports, perVm } = options;
  const acceptCids = acceptCid.length > 0 ? { acceptCids: acceptCid } : {};
  const handlers = crashListener({
    ...acceptCids,
    consent: typeof consent === 'object' ? consentByFile(consent.file) : () => consent === 'always',
    directory: perVm ? ({ cid }) => join(directory, `${cid}`) : directory,
    maxReports,
    onReport: ({ cid, meta, leftOut }) => log.info('crash report kept', { cid, meta, leftOut }),
    onFailure: ({ cid, process }) => log.warn('a service of a VM has failed', { cid, process }),
  });
  const address = vmAddress(operands.listen, 'LISTEN', PORT);
  const server = await serveRpc(address, (router) => router.service(CrashListener, handlers), {
    ...acceptCids,
    onRefused: (peer, error) => log.warn('connection refused', { peer, error }),
    onHandlerError: ({ error, method }) => log.error('a report was lost', { error, method }),
  }).catch(cannotListen);
  shutdown.onShutdown('end the server', () => server.close());
  log.info('listening', { on: formatAddress(server.address), directory });
  await serviceManager.notify({ ready: true, status: `crash reports go to ${directory}` });
}
