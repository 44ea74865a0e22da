import {
  absolutePath,
  addressFor,
  defineProgram,
  InvalidValue,
  packageVersion,
  serviceEnvironment,
  wholeNumber,
} from '@vm-tools/daemon';
import type { SyncPolicy } from '@vm-tools/syslog';
import { parseVm } from './vm.ts';

/** Command line, help text, man page and completion of vmlog_forwarder. */
export const forwarderProgram = defineProgram({
  name: 'vmlog_forwarder',
  section: 8,
  version: () => packageVersion(new URL('../package.json', import.meta.url)),
  summary: 'keep the logs of VMs on their host',
  description: [
    'Takes what vm_syslog sends from VMs, and writes it to DIR/OWNER/log/NAME.log, where NAME is the name of the VM in base64url, or hands it to the ' +
      'syslog of this host. Beside each file a socket NAME.lsock takes the lines of the console of the VM, as datagrams.',
    'A VM is known by its CID, which it cannot choose; --vm, or the control socket, says which VM that is. Records of a VM that nobody has ' +
      'named go to the syslog; without one they are refused, and the VM keeps them.',
    'Batches that are sent again, since this program or a connection has ended in between, are known by their numbers and not written twice. ' +
      'SIGHUP has all files opened anew.',
    'The control socket takes lines of JSON: {"do":"add","cid":N,"name":NAME,"owner":OWNER}, {"do":"remove","cid":N}, {"do":"list"}. Each is answered ' +
      'by a line: {"ok":true}, with "vms" for a list, or {"ok":false,"error":TEXT}.',
  ],
  options: {
    logDestination: {
      value: 'DIR|syslog',
      required: true,
      parse: destination,
      completes: 'directory',
      description:
        'where records go: to files below DIR, or to the syslog of this host alone (/dev/log means the same)',
    },
    syslog: { description: 'hand what goes to files to the syslog, too' },
    syslogSocket: {
      value: 'PATH',
      default: '/dev/log',
      parse: absolutePath,
      completes: 'file',
      description: 'where the syslog of this host is',
    },
    listen: {
      value: 'ADDRESS',
      parse: addressFor('listen'),
      description:
        'where VMs connect, if not on vsock::9999 or a socket that the service manager passes; VMs with a device in user space do by their directories',
    },
    vm: {
      value: 'CID=NAME:OWNER',
      repeatable: true,
      parse: parseVm,
      description: 'which VM has this CID',
    },
    control: {
      value: 'PATH',
      parse: absolutePath,
      completes: 'file',
      description: 'make a control socket there, of mode 0600',
    },
    maxFileBytes: {
      value: 'BYTES',
      default: '16777216',
      parse: wholeNumber({ min: 65_536, max: 2 ** 40 }),
      description: 'how large a file may get before it is rotated; it is once a day in any case',
    },
    keep: {
      value: 'N',
      default: '5',
      parse: wholeNumber({ max: 1000 }),
      description: 'how many old files of a VM are kept, as NAME.log.1 and so on',
    },
    gzip: { description: 'compress old files' },
    limit: {
      value: 'N',
      default: '10000',
      parse: wholeNumber({ max: 1_000_000_000 }),
      description:
        'how many records a second a VM may have, averaged over 30 s; further ones are lost, and counted in a line; 0: any',
    },
    sync: {
      value: 'always|never|MS',
      default: 'never',
      parse: syncPolicy,
      description:
        'whether files are forced to the disk: with each batch, never, or so many milliseconds after one',
    },
  },
  operands: {},
  environment: serviceEnvironment,
  examples: [
    [
      'vmlog_forwarder --log-destination /var/log/vms --vm 3=web:1a2b --control /run/vmlog.sock',
      'keep the log of the VM with CID 3 in /var/log/vms/1a2b/log/d2Vi.log, and those of VMs that are named later',
    ],
    ['vmlog_forwarder --log-destination syslog', 'hand the logs of all VMs to the syslog'],
  ],
});

function destination(text: string): string | 'syslog' {
  return text === 'syslog' || text === '/dev/log' ? 'syslog' : absolutePath(text);
}

function syncPolicy(text: string): SyncPolicy {
  if (text === 'always' || text === 'never') return text;
  try {
    return { everyMs: wholeNumber({ min: 1, max: 3_600_000 })(text) };
  } catch (cause) {
    throw new InvalidValue(`${JSON.stringify(text)} is no policy`, {
      remedy: '"always", "never" or a number of milliseconds',
      cause,
    });
  }
}
