import { VmOptionsError } from '../errors.ts';
import type { VmDisk, VmForward, VmOptions, VmPort } from '../vm-options.ts';

/** Descriptors that QEMU inherits: connected stream sockets of the process that starts it. */
export interface InheritedSockets {
  readonly qmp: number;
  readonly console: number;
  /** By port name. */
  readonly ports: ReadonlyMap<string, number>;
  /** Of the vsock device, when it is not one that QEMU connects to by itself. */
  readonly vsock?: number;
}

/** Names within QEMU of what the vsock device consists of. */
export const VSOCK = { device: 'vsock', chardev: 'vsock', port: 'vsock-port' } as const;

/** Without what no guest of ours uses: each device costs boot time. */
const machines = {
  microvm: 'microvm',
  q35: 'q35,vmport=off,smbus=off,sata=off,usb=off',
} as const;

/** The arguments that make QEMU (7.2 or newer) the machine of `options`. Source: qemu(1). Throws VmOptionsError. */
export function qemuArguments(options: VmOptions, sockets: InheritedSockets): string[] {
  check(options);
  const machine = options.machine ?? 'q35';
  const bus = machine === 'microvm' ? 'device' : 'pci';
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none'],
    ...(options.reboot ? [] : ['-no-reboot']),
    ...(options.paused ? ['-S'] : []),
    ...sandbox(options),
    ...['-machine', machines[machine] + (sharesMemory(options) ? ',memory-backend=ram' : '')],
    ...accelerators(options.accel ?? 'tcg').flatMap((accel) => ['-accel', accel]),
    ...['-cpu', options.cpu ?? 'max', '-smp', String(options.cpus ?? 1)],
    ...memory(options),
    ...['-kernel', options.kernel],
    ...(options.initrd === undefined ? [] : ['-initrd', options.initrd]),
    ...['-append', [options.cmdline ?? ''].flat().join(' ')],
    ...['-chardev', `socket,id=qmp,fd=${sockets.qmp}`, '-mon', 'chardev=qmp,mode=control'],
    ...['-chardev', `socket,id=console,fd=${sockets.console}`, '-serial', 'chardev:console'],
    ...(options.disks ?? []).flatMap((disk, index) => diskArguments(disk, index, bus)),
    ...portArguments(options.ports ?? [], sockets.ports, bus),
    ...networkArguments(options, bus),
    ...vsockArguments(options, sockets.vsock, bus),
    ...(options.extraArgs ?? []),
  ];
}

function check({ memory = 512, cpus = 1, ports = [], disks = [] }: VmOptions): void {
  for (const [name, value] of Object.entries({ memory, cpus })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new VmOptionsError(`${name} is ${value}: it must be a whole number above 0`);
  }
  const names = new Set<string>();
  for (const { name, connect, listen } of ports) {
    if (name === '' || names.has(name))
      throw new VmOptionsError(`port name ${JSON.stringify(name)}: names must be distinct and not empty`);
    if (connect !== undefined && listen !== undefined)
      throw new VmOptionsError(`port ${name} has both "connect" and "listen": it can have one`);
    names.add(name);
  }
  for (const { path, serial = '' } of disks) {
    if (Buffer.byteLength(serial) > 20)
      throw new VmOptionsError(`disk ${path}: serial "${serial}" is longer than the 20 bytes of virtio-blk`);
  }
}

function sandbox({ sandbox: on = true, network }: VmOptions): string[] {
  if (!on) return [];
  // Denying privileges forbids setsid() too, which QEMU does for each command of a forward (and it would die of that).
  const commands = (network?.forwards ?? []).length > 0;
  const privileges = commands ? 'elevateprivileges=allow,spawn=allow' : 'elevateprivileges=deny,spawn=deny';
  return ['-sandbox', `on,obsolete=deny,${privileges},resourcecontrol=deny`];
}

function accelerators(accel: 'tcg' | 'kvm' | 'auto'): string[] {
  return accel === 'auto' ? ['kvm', 'tcg'] : [accel];
}

function sharesMemory({ sharedMemory = false, vsock }: VmOptions): boolean {
  return sharedMemory !== false || vsock !== undefined;
}

function memory(options: VmOptions): string[] {
  const { memory: mebibytes = 512, sharedMemory } = options;
  const size = ['-m', `${mebibytes}M`];
  if (!sharesMemory(options)) return size;
  const backend =
    typeof sharedMemory !== 'string'
      ? 'memory-backend-memfd'
      : `memory-backend-file,mem-path=${escaped(sharedMemory)}`;
  return [...size, '-object', `${backend},id=ram,size=${mebibytes}M,share=on`];
}

function diskArguments(disk: VmDisk, index: number, bus: string): string[] {
  const id = `disk${index}`;
  const drive = [
    `if=none,id=${id}`,
    `file=${escaped(disk.path)}`,
    `format=${disk.format ?? 'raw'}`,
    ...(disk.readonly ? ['readonly=on'] : []),
    ...(disk.snapshot ? ['snapshot=on'] : []),
  ];
  const serial = disk.serial === undefined ? '' : `,serial=${escaped(disk.serial)}`;
  return ['-drive', drive.join(','), '-device', `virtio-blk-${bus},drive=${id}${serial}`];
}

function portArguments(
  ports: readonly VmPort[],
  sockets: ReadonlyMap<string, number>,
  bus: string,
): string[] {
  if (ports.length === 0) return [];
  return [
    ...['-device', `virtio-serial-${bus},max_ports=${ports.length + 1}`],
    ...ports.flatMap((port, index) => [
      ...['-chardev', `socket,id=port${index},${portPeer(port, sockets)}`],
      // Port 0 is reserved for a console.
      ...['-device', `virtserialport,nr=${index + 1},chardev=port${index},name=${escaped(port.name)}`],
    ]),
  ];
}

function portPeer({ name, connect, listen }: VmPort, sockets: ReadonlyMap<string, number>): string {
  if (connect !== undefined) return `path=${escaped(connect)}`;
  if (listen !== undefined) return `path=${escaped(listen)},server=on,wait=off`;
  const fd = sockets.get(name);
  if (fd === undefined)
    throw new VmOptionsError(`port ${name}: no "connect", no "listen" and no inherited socket`);
  return `fd=${fd}`;
}

function networkArguments({ network }: VmOptions, bus: string): string[] {
  if (!network) return [];
  const user = [
    `user,id=net,restrict=${network.restrict === false ? 'off' : 'on'}`,
    ...(network.forwards ?? []).map((forward) => `guestfwd=${escaped(guestForward(forward))}`),
  ];
  // romfile: no boot ROM is looked for, so that the package with the ROMs need not be installed.
  const card = bus === 'pci' ? 'virtio-net-pci,netdev=net,romfile=' : 'virtio-net-device,netdev=net';
  return ['-netdev', user.join(','), '-device', card];
}

function guestForward({ address, port, command }: VmForward): string {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(address) || !Number.isInteger(port) || port < 1 || port > 65535)
    throw new VmOptionsError(`forward ${address}:${port}: not an IPv4 address and a port`);
  if (command.length === 0) throw new VmOptionsError(`forward ${address}:${port} has no command`);
  return `tcp:${address}:${port}-cmd:${command.map(quoted).join(' ')}`;
}

/** QEMU takes the command apart as a shell would (g_shell_parse_argv), but runs it without one. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function vsockArguments({ vsock }: VmOptions, fd: number | undefined, bus: string): string[] {
  if (!vsock) return [];
  const peer = 'socket' in vsock ? `path=${escaped(vsock.socket)}` : `fd=${fd}`;
  const device = `vhost-user-vsock-${bus},id=${VSOCK.device},chardev=${VSOCK.chardev}`;
  return [
    // The device is of virtio 1, which virtio-mmio does not speak unless told so.
    ...(bus === 'pci' ? [] : ['-global', 'virtio-mmio.force-legacy=false']),
    ...['-chardev', `socket,id=${VSOCK.chardev},${peer}`],
    // Behind a port of its own it can be unplugged.
    ...(bus === 'pci' ? ['-device', `pcie-root-port,id=${VSOCK.port},chassis=1`] : []),
    ...['-device', bus === 'pci' ? `${device},bus=${VSOCK.port}` : device],
  ];
}

/** In QEMU's option lists a comma is written twice. */
function escaped(value: string): string {
  if (value.includes('\0')) throw new VmOptionsError(`${JSON.stringify(value)} has a NUL`);
  return value.replaceAll(',', ',,');
}
