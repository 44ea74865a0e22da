import {
  defineProgram,
  InvalidValue,
  packageVersion,
  serviceEnvironment,
  wholeNumber,
} from '@vm-tools/daemon';

/** Of sun_path (unix(7)), without its NUL and the `_PORT` that names get. */
const LONGEST_PATH = 107 - '_4294967294'.length;

/** Command line, help text, man page and completion. */
export const program = defineProgram({
  name: 'vhost_user_vsock',
  section: 8,
  version: () => packageVersion(new URL('../package.json', import.meta.url)),
  summary: 'give a QEMU guest a vsock, from user space',
  description: [
    'The guest gets AF_VSOCK without /dev/vhost-vsock. Programs of this user reach its port P by connecting to the Unix socket of ' +
      '--uds-path and writing "CONNECT P" and a newline, to which "OK" and a number are the answer; the guest reaches, as port P of ' +
      'CID 2, who listens on the Unix socket that is named like that one with _P behind it.',
    'QEMU needs memory that can be shared: -M q35,memory-backend=mem -object memory-backend-memfd,id=mem,size=SIZE,share=on ' +
      '-chardev socket,id=vsock,path=SOCKET -device vhost-user-vsock-pci,chardev=vsock',
  ],
  options: {
    guestCid: {
      value: 'N',
      required: true,
      parse: wholeNumber({ min: 3, max: 0xfffffffe }),
      description: 'the address of the guest',
    },
    socket: {
      value: 'PATH',
      required: true,
      parse: path,
      completes: 'file',
      description: 'where QEMU connects; one VM after the other is served there',
    },
    udsPath: {
      value: 'PATH',
      parse: path,
      completes: 'file',
      description:
        "where programs of the host connect; by default sock in the VM's directory, where services of vm-tools look",
    },
    maxConnections: {
      value: 'N',
      parse: wholeNumber({ min: 1, max: 65_536 }),
      default: '4096',
      description: 'how many connections the guest may have at once; further ones are refused',
    },
    qmp: {
      value: 'PATH',
      parse: path,
      completes: 'file',
      description:
        'the QMP socket of a QEMU that may have been left without its device by an earlier vhost_user_vsock; see --lost-vm',
    },
    lostVm: {
      value: 'WHAT',
      choices: ['replug', 'end'],
      default: 'replug',
      description:
        'what to do with such a VM at the start: replug its device, which needs a q35 with the device behind a root port, or end it',
    },
    qmpNames: {
      value: 'DEVICE:CHARDEV:BUS',
      parse: names,
      default: 'vsock:vsock:vsock-port',
      description: 'what that QEMU calls the device, its chardev and the root port',
    },
  },
  operands: {},
  environment: serviceEnvironment,
  examples: [
    [
      'vhost_user_vsock --guest-cid 3 --socket /run/vm/vhost.sock --uds-path /run/vm/vsock.sock',
      'serve the VM that connects to /run/vm/vhost.sock',
    ],
    [
      'socat - UNIX-CONNECT:/run/vm/vsock.sock',
      'after typing CONNECT 22, talk to port 22 of the guest; port 80 of the host is /run/vm/vsock.sock_80',
    ],
  ],
});

function path(text: string): string {
  if (Buffer.byteLength(text) <= LONGEST_PATH && text !== '') return text;
  throw new InvalidValue(`${JSON.stringify(text)} has ${Buffer.byteLength(text)} bytes`, {
    remedy: `a path of 1 to ${LONGEST_PATH} bytes`,
  });
}

function names(text: string): { readonly device: string; readonly chardev: string; readonly bus: string } {
  const [device, chardev, bus, more] = text.split(':');
  if (device && chardev && bus && more === undefined) return { device, chardev, bus };
  throw new InvalidValue(`${JSON.stringify(text)} does not consist of three names`, {
    remedy: 'DEVICE:CHARDEV:BUS, as in vsock:vsock:vsock-port',
  });
}
