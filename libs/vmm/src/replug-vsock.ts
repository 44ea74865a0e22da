import { VmTimeoutError } from './errors.ts';
import { VSOCK } from './qemu/command-line.ts';
import type { Vm } from './vm.ts';

export interface ReplugOptions {
  /** Unix stream socket that the new backend listens on. */
  readonly socket: string;
  /** For the guest to let go of the old device; default 60,000. */
  readonly timeoutMs?: number;
}

/**
 * Gives a VM whose vsock backend has died another one: unplugs the device and plugs it in anew, by QMP, since QEMU never connects to a
 * backend again. The guest's listeners live on, its connections get ECONNRESET. Only on a `q35`, and with a guest that answers to PCI
 * hot-plugging.
 *
 * Rejects with QmpError (a `microvm`, a VM without vsock, nobody who listens) or VmTimeoutError.
 */
export async function replugVsock(vm: Vm, { socket, timeoutMs = 60_000 }: ReplugOptions): Promise<void> {
  await unplug(vm, timeoutMs);
  await vm.qmp.execute('chardev-remove', { id: VSOCK.chardev });
  await vm.qmp.execute('chardev-add', {
    id: VSOCK.chardev,
    backend: {
      type: 'socket',
      data: { addr: { type: 'unix', data: { path: socket } }, server: false },
    },
  });
  await vm.qmp.execute('device_add', {
    driver: 'vhost-user-vsock-pci',
    id: VSOCK.device,
    chardev: VSOCK.chardev,
    bus: VSOCK.port,
  });
}

/** Asks the guest to let go of the device, and awaits that it has. */
async function unplug(vm: Vm, timeoutMs: number): Promise<void> {
  const late = AbortSignal.timeout(timeoutMs);
  const events = vm.qmp.events({ signal: late });
  await vm.qmp.execute('device_del', { id: VSOCK.device });
  for await (const { event, data } of events)
    if (event === 'DEVICE_DELETED' && data['device'] === VSOCK.device) return;
  const what = 'unplugging the vsock device';
  throw new VmTimeoutError(what, { timeoutMs, consoleTail: vm.console.tail() });
}
