/** What has to fit the rest of QEMU's command line. */
export interface QemuMachine {
  /** As in `-M`; default `q35`. `microvm` has virtio-mmio devices. */
  readonly machine?: 'q35' | 'pc' | 'microvm';
  /** As in `-m`; default `512M`. */
  readonly memory?: string;
  /** The descriptor that QEMU finds the device at; default 3. */
  readonly at?: number;
}

/** What starts a QEMU with the device: `spawn('qemu-system-x86_64', [...args, ...more], { stdio })`. */
export interface QemuLaunch extends Disposable {
  /** Machine, memory and device; they come before what else the machine has. */
  readonly args: readonly string[];
  /** For `spawn`: standard output and error are inherited. */
  readonly stdio: ('ignore' | 'inherit' | number)[];
  /** Closes this process's copy of QEMU's end, without which the end of QEMU would not be seen. */
  close(): void;
}

/** The arguments of qemu(1), 7.2 or newer. */
export function qemuArguments(
  { machine = 'q35', memory = '512M' }: QemuMachine,
  chardev: { readonly fd: number },
): string[] {
  const device = machine === 'microvm' ? 'vhost-user-vsock-device' : 'vhost-user-vsock-pci';
  return [
    ...['-M', `${machine},memory-backend=vsock-memory`, '-m', memory],
    ...['-object', `memory-backend-memfd,id=vsock-memory,size=${memory},share=on`],
    // The device needs virtio 1, which virtio-mmio does not speak unless told so.
    ...(machine === 'microvm' ? ['-global', 'virtio-mmio.force-legacy=false'] : []),
    ...['-chardev', `socket,id=vsock,fd=${chardev.fd}`, '-device', `${device},chardev=vsock`],
  ];
}
