import {
  absolutePath,
  addressFor,
  defineProgram,
  packageVersion,
  serviceEnvironment,
  wholeNumber,
} from '@vm-tools/daemon';
import { parseUser } from './privileges.ts';

/** Command line, help text, man page and completion of vm_syslog. */
export const syslogProgram = defineProgram({
  name: 'vm_syslog',
  section: 8,
  version: () => packageVersion(new URL('../package.json', import.meta.url)),
  summary: "send a VM's log to its host",
  description: [
    'Receives what the programs of this VM write to /dev/log, and reads the log of its kernel. It sends both to vmlog_forwarder on the host, in ' +
      'batches, each until it has arrived.',
    'While the host is away records wait in memory, then in files, and then /dev/log makes programs wait. What is lost all the same is counted in a line ' +
      'of the log. SIGTERM sends what there is, and leaves the rest to files.',
  ],
  options: {
    host: {
      value: 'ADDRESS',
      default: 'vsock:host:9999',
      parse: addressFor('connect'),
      description: 'where the host listens',
    },
    socket: {
      value: 'PATH',
      default: '/dev/log',
      parse: absolutePath,
      completes: 'file',
      description:
        'where programs send their messages; sockets that the service manager passes stand in its place',
    },
    noKernel: { description: 'leave the log of the kernel alone' },
    user: {
      value: 'USER[:GROUP]',
      parse: parseUser,
      description:
        'become this user when everything is open; the group has the name of the user if none is given',
    },
    spool: {
      value: 'DIR',
      default: '/var/spool/vm_syslog',
      parse: absolutePath,
      completes: 'directory',
      description: 'where records wait for which there is no room in memory',
    },
    spoolBytes: {
      value: 'BYTES',
      default: '67108864',
      parse: wholeNumber({ max: 2 ** 40 }),
      description: 'how much may wait there of programs, and as much of the kernel; 0: nothing',
    },
    memoryBytes: {
      value: 'BYTES',
      default: '4194304',
      parse: wholeNumber({ min: 65_536, max: 2 ** 32 }),
      description: 'how much may wait in memory, likewise',
    },
    flushMs: {
      value: 'MS',
      default: '5000',
      parse: wholeNumber({ min: 1, max: 3_600_000 }),
      description: 'how long a record may wait for others',
    },
    flushBytes: {
      value: 'BYTES',
      default: '4096',
      parse: wholeNumber({ min: 1, max: 262_144 }),
      description: 'with how many bytes of records none waits',
    },
    limit: {
      value: 'N',
      default: '0',
      parse: wholeNumber({ max: 1_000_000_000 }),
      description:
        'how many messages a process may send in 5 s; further ones are lost, and counted in a line; 0: any',
    },
  },
  operands: {},
  environment: serviceEnvironment,
  examples: [
    [
      'vm_syslog --user syslog',
      "send this VM's log to its host, and be root no longer than it takes to begin",
    ],
    ['vm_syslog --flush-ms 500 --no-kernel', 'send the messages of programs alone, within half a second'],
  ],
});
