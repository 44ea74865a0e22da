import type { Log } from '@vm-tools/daemon';
import { connectQmp, type QmpConnection, replugVsock } from '@vm-tools/vmm';

export interface LostVmOptions {
  /** Socket of QEMU. */
  readonly qmp: string;
  /** Where this process waits for QEMU. */
  readonly socket: string;
  readonly what: 'replug' | 'end';
  readonly device: string;
  readonly chardev: string;
  readonly bus: string;
  readonly log: Log;
}

/** Looks whether a VM has lost its device with an earlier process, and brings it back or ends it. */
export async function rescueLostVm(options: LostVmOptions): Promise<void> {
  const { qmp: path, chardev, what, log } = options;
  let connection: QmpConnection;
  try {
    connection = await connectQmp(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error;
    log.info('no VM answers QMP: none is lost', { qmp: path });
    return;
  }
  using _ = connection;
  const { qmp, closed } = connection;
  if (!isDisconnected(await qmp.execute('query-chardev'), chardev)) {
    log.info('the VM has not lost its device', { qmp: path });
  } else if (what === 'end') {
    log.warn('a VM without its device is ended', { qmp: path });
    await qmp.execute('quit');
    await closed;
  } else {
    log.warn('a VM without its device gets it back', { qmp: path });
    await replugVsock(connection, options);
  }
}

/** Whether QEMU's chardev of that name has lost its other end. Source: QEMU, qapi/char.json, ChardevInfo. */
function isDisconnected(answer: unknown, chardev: string): boolean {
  const chardevs = answer as { readonly label: string; readonly filename: string }[];
  return chardevs.some(({ label, filename }) => label === chardev && filename.startsWith('disconnected:'));
}
