import { expect, test } from 'vitest';
import { VmOptionsError } from '../errors.ts';
import type { VmOptions } from '../vm-options.ts';
import { qemuArguments } from './command-line.ts';

const sockets = {
  qmp: 3,
  console: 4,
  ports: new Map([
    ['agent', 5],
    ['log', 6],
  ]),
};

/** One option a line, as a reader of a snapshot wants it. */
function lines(options: Partial<VmOptions>): string {
  return qemuArguments({ kernel: '/boot/vmlinux', ...options }, sockets)
    .join(' ')
    .replaceAll(/ (?=-[a-z])/g, '\n');
}

test('a kernel alone gives a q35 machine with QMP, a console and nothing else', () => {
  expect(lines({})).toMatchInlineSnapshot(`
    "-nodefaults
    -no-user-config
    -display none
    -no-reboot
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    -machine q35,vmport=off,smbus=off,sata=off,usb=off
    -accel tcg
    -cpu max
    -smp 1
    -m 512M
    -kernel /boot/vmlinux
    -append 
    -chardev socket,id=qmp,fd=3
    -mon chardev=qmp,mode=control
    -chardev socket,id=console,fd=4
    -serial chardev:console"
  `);
});

test('a microvm has virtio-mmio devices for disks, ports and network', () => {
  const options: VmOptions = {
    kernel: '/boot/vmlinux',
    initrd: '/boot/initrd',
    cmdline: ['console=ttyS0', 'quiet'],
    machine: 'microvm',
    memory: 1024,
    cpus: 2,
    disks: [
      { path: '/disks/root.img', snapshot: true },
      { path: '/disks/data.qcow2', format: 'qcow2', readonly: true, serial: 'data' },
    ],
    ports: [
      { name: 'agent' },
      { name: 'log' },
      { name: 'to', connect: '/run/to.sock' },
      { name: 'at', listen: '/run/at.sock' },
    ],
    network: { forwards: [{ address: '10.0.2.100', port: 564, command: ['/bin/relay', '/run/9p.sock'] }] },
  };
  expect(lines(options)).toMatchInlineSnapshot(`
    "-nodefaults
    -no-user-config
    -display none
    -no-reboot
    -sandbox on,obsolete=deny,elevateprivileges=allow,spawn=allow,resourcecontrol=deny
    -machine microvm
    -accel tcg
    -cpu max
    -smp 2
    -m 1024M
    -kernel /boot/vmlinux
    -initrd /boot/initrd
    -append console=ttyS0 quiet
    -chardev socket,id=qmp,fd=3
    -mon chardev=qmp,mode=control
    -chardev socket,id=console,fd=4
    -serial chardev:console
    -drive if=none,id=disk0,file=/disks/root.img,format=raw,snapshot=on
    -device virtio-blk-device,drive=disk0
    -drive if=none,id=disk1,file=/disks/data.qcow2,format=qcow2,readonly=on
    -device virtio-blk-device,drive=disk1,serial=data
    -device virtio-serial-device,max_ports=5
    -chardev socket,id=port0,fd=5
    -device virtserialport,nr=1,chardev=port0,name=agent
    -chardev socket,id=port1,fd=6
    -device virtserialport,nr=2,chardev=port1,name=log
    -chardev socket,id=port2,path=/run/to.sock
    -device virtserialport,nr=3,chardev=port2,name=to
    -chardev socket,id=port3,path=/run/at.sock,server=on,wait=off
    -device virtserialport,nr=4,chardev=port3,name=at
    -netdev user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:564-cmd:'/bin/relay' '/run/9p.sock'
    -device virtio-net-device,netdev=net"
  `);
});

test('a q35 has PCI devices, and no boot ROM for its network card', () => {
  const options = { disks: [{ path: '/a' }], ports: [{ name: 'agent' }], network: { restrict: false } };
  expect(lines(options)).toMatchInlineSnapshot(`
    "-nodefaults
    -no-user-config
    -display none
    -no-reboot
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    -machine q35,vmport=off,smbus=off,sata=off,usb=off
    -accel tcg
    -cpu max
    -smp 1
    -m 512M
    -kernel /boot/vmlinux
    -append 
    -chardev socket,id=qmp,fd=3
    -mon chardev=qmp,mode=control
    -chardev socket,id=console,fd=4
    -serial chardev:console
    -drive if=none,id=disk0,file=/a,format=raw
    -device virtio-blk-pci,drive=disk0
    -device virtio-serial-pci,max_ports=2
    -chardev socket,id=port0,fd=5
    -device virtserialport,nr=1,chardev=port0,name=agent
    -netdev user,id=net,restrict=off
    -device virtio-net-pci,netdev=net,romfile="
  `);
});

test('memory is shared by a memfd or by a file', () => {
  expect(lines({ sharedMemory: true })).toContain('-object memory-backend-memfd,id=ram,size=512M,share=on');
  expect(lines({ sharedMemory: '/dev/shm/ram' })).toContain(
    '-object memory-backend-file,mem-path=/dev/shm/ram,id=ram,size=512M,share=on',
  );
  expect(lines({ sharedMemory: true, machine: 'microvm' })).toContain('-machine microvm,memory-backend=ram');
});

test('"auto" prefers KVM and falls back to emulation', () => {
  expect(lines({ accel: 'auto' })).toContain('-accel kvm\n-accel tcg');
});

test('commas are doubled wherever QEMU splits at them', () => {
  const options = lines({
    disks: [{ path: '/a,b', serial: 'c,d' }],
    ports: [{ name: 'e,f', connect: '/g,h' }],
    sharedMemory: '/i,j',
    network: { forwards: [{ address: '10.0.2.100', port: 1, command: ['/k,l'] }] },
  });
  for (const doubled of [
    'file=/a,,b',
    'serial=c,,d',
    'name=e,,f',
    'path=/g,,h',
    'mem-path=/i,,j',
    "cmd:'/k,,l'",
  ])
    expect(options).toContain(doubled);
});

test('words of a command are quoted for a shell, which QEMU is not', () => {
  const forwards = [{ address: '10.0.2.100', port: 1, command: ['/a b', "it's", '$HOME'] }];
  expect(lines({ network: { forwards } })).toContain(`cmd:'/a b' 'it'\\''s' '$HOME'`);
});

test('the sandbox allows processes only where a forward starts them, and can be left out', () => {
  const forwards = [{ address: '10.0.2.100', port: 1, command: ['/a'] }];
  expect(lines({ network: { forwards: [] } })).toContain('elevateprivileges=deny,spawn=deny');
  expect(lines({ network: { forwards } })).toContain('elevateprivileges=allow,spawn=allow');
  expect(lines({ sandbox: false })).not.toContain('-sandbox');
});

test('a reboot ends the VM unless it is allowed', () => {
  expect(lines({})).toContain('-no-reboot');
  expect(lines({ reboot: true })).not.toContain('-no-reboot');
});

test('further arguments come last', () => {
  expect(lines({ extraArgs: ['-device', 'virtio-rng-pci'] })).toMatch(/\n-device virtio-rng-pci$/);
});

test.each<[string, Partial<VmOptions>, RegExp]>([
  ['memory is not whole', { memory: 0.5 }, /^memory is 0.5: .* whole number above 0/],
  ['there is no CPU', { cpus: 0 }, /^cpus is 0/],
  ['two ports have one name', { ports: [{ name: 'log' }, { name: 'log' }] }, /"log": names must be distinct/],
  ['a port has no name', { ports: [{ name: '' }] }, /"": names must be/],
  ['a port has two peers', { ports: [{ name: 'a', connect: '/x', listen: '/y' }] }, /it can have one/],
  ['a serial is too long', { disks: [{ path: '/d', serial: 'x'.repeat(21) }] }, /longer than the 20 bytes/],
  ['a path has a NUL', { disks: [{ path: '/d\0' }] }, /has a NUL/],
  [
    'a forward is for no address',
    { network: { forwards: [{ address: 'host', port: 1, command: ['/a'] }] } },
    /host:1: not an IPv4/,
  ],
  [
    'a forward has no command',
    { network: { forwards: [{ address: '10.0.2.100', port: 1, command: [] }] } },
    /has no command/,
  ],
])('is refused when %s', (_, options, message) => {
  expect(() => lines(options)).toThrow(VmOptionsError);
  expect(() => lines(options)).toThrow(message);
});

test('a vsock device has memory that can be shared, and can be unplugged from a q35', () => {
  const q35 = lines({ vsock: { socket: '/run/a,b.sock' } });
  expect(q35).toContain(',memory-backend=ram\n');
  expect(q35).toContain('-object memory-backend-memfd,id=ram,size=512M,share=on');
  expect(q35.slice(q35.indexOf('-chardev socket,id=vsock'))).toMatchInlineSnapshot(`
    "-chardev socket,id=vsock,path=/run/a,,b.sock
    -device pcie-root-port,id=vsock-port,chassis=1
    -device vhost-user-vsock-pci,id=vsock,chardev=vsock,bus=vsock-port"
  `);
});

test('a vsock device of a microvm speaks virtio 1, by a socket that QEMU inherits', () => {
  const args = qemuArguments(
    { kernel: '/boot/vmlinux', machine: 'microvm', vsock: { fd: 99 }, sharedMemory: '/dev/shm/ram' },
    { ...sockets, vsock: 7 },
  ).join(' ');
  expect(args).toContain('memory-backend-file,mem-path=/dev/shm/ram,id=ram');
  expect(args.slice(args.indexOf('-global'))).toMatchInlineSnapshot(
    `"-global virtio-mmio.force-legacy=false -chardev socket,id=vsock,fd=7 -device vhost-user-vsock-device,id=vsock,chardev=vsock"`,
  );
});
