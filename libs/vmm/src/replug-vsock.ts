import { VmTimeoutError } from './errors.ts';
import { VSOCK } from './qemu/command-line.ts';
import type { QmpClient } from './qemu/qmp-client.ts';

export interface ReplugOptions {
  /** Unix stream socket that the new backend listens on. */
  readonly socket: string;
  /** For the guest to let go of the old device; default 60,000. */
  readonly timeoutMs?: number;
  /** What QEMU calls the device, its chardev and the root port it sits on; by default as `startVm` does. */
  readonly device?: string;
  readonly chardev?: string;
  readonly bus?: string;
}

/**
 * Gives a VM whose vsock backend has died another one: unplugs the device and plugs it in anew, by QMP, since QEMU never connects to a
 * backend again. The guest's listeners live on, its connections get ECONNRESET. Only on a `q35`, and with a guest that answers to PCI
 * hot-plugging.
 *
 * Rejects with QmpError (a `microvm`, a VM without vsock, nobody who listens) or VmTimeoutError.
 */
export async function replugVsock(vm: { readonly qmp: QmpClient }, options: ReplugOptions): Promise<void> {
  const { socket, device = VSOCK.device, chardev = VSOCK.chardev, bus = VSOCK.port } = options;
  await unplug(vm.qmp, device, options.timeoutMs ?? 60_000);
  await vm.qmp.execute('chardev-remove', { id: chardev });
  await vm.qmp.execute('chardev-add', {
    id: chardev,
    backend: {
      type: 'socket',
      data: { addr: { type: 'unix', data: { path: socket } }, server: false },
    },
  });
  await vm.qmp.execute('device_add', { driver: 'vhost-user-vsock-pci', id: device, chardev, bus });
}

/** Asks the guest to let go of the device, and awaits that it has. */
async function unplug(qmp: QmpClient, device: string, timeoutMs: number): Promise<void> {
  const events = qmp.events({ signal: AbortSignal.timeout(timeoutMs) });
  await qmp.execute('device_del', { id: device });
  for await (const { event, data } of events)
    if (event === 'DEVICE_DELETED' && data['device'] === device) return;
  throw new VmTimeoutError(`unplugging the device ${device}`, { timeoutMs, consoleTail: '' });
}
