import {
  absolutePath,
  addressFor,
  defineProgram,
  ExitCode,
  packageVersion,
  serviceEnvironment,
  wholeNumber,
} from '@vm-tools/daemon';

/** Command line, help text, man page and completion of crash_listener. */
export const program = defineProgram({
  name: 'crash_listener',
  section: 8,
  version: () => packageVersion(new URL('../package.json', import.meta.url)),
  summary: 'keep the crash reports of VMs',
  description: [
    'Answers crash_collector in VMs, and writes each report as vm_crash.DATE.TIME.NUMBER.CID.{meta,proclog,dmp}: what the VM says of the ' +
      'crash, the processes above it, and the minidump.',
    'A VM is known by its CID, which it cannot choose. A directory is of one crash_listener at a time.',
  ],
  options: {
    consent: {
      value: 'always|never|FILE',
      required: true,
      parse: consent,
      completes: 'file',
      description: 'whether reports may be kept: always, never, or for as long as FILE exists',
    },
    directory: {
      value: 'DIR',
      default: '/var/spool/crash',
      parse: absolutePath,
      completes: 'directory',
      description: 'where they are kept; made if it is not there',
    },
    perVm: { description: 'keep those of each VM in a directory of its own, DIR/CID' },
    acceptCid: {
      value: 'CID',
      repeatable: true,
      parse: wholeNumber({ max: 0xfffffffe }),
      description: 'let this VM report, and those named by further --accept-cid; without it, each one',
    },
    maxReports: {
      value: 'N',
      default: '32',
      parse: wholeNumber({ min: 1, max: 100_000 }),
      description: 'how many reports a directory may hold; further ones are refused',
    },
  },
  operands: {
    listen: {
      optional: true,
      parse: addressFor('listen'),
      description: 'where VMs connect, if not on vsock::7779',
      forms: [
        [
          'vsock::PORT',
          'a port of vsock: by AF_VSOCK, and by the directories of VMs with a device in user space',
        ],
        [
          'unix-fd:N',
          'an AF_VSOCK socket that is inherited; one that the service manager passed needs no LISTEN',
        ],
      ],
      beginnings: ['vsock::'],
    },
  },
  environment: serviceEnvironment,
  exitCodes: [
    ExitCode.ok,
    ExitCode.usage,
    ExitCode.unavailable,
    ExitCode.internal,
    ExitCode.osError,
    ExitCode.noPermission,
  ],
  examples: [
    ['crash_listener --consent always', 'keep the reports of all VMs in /var/spool/crash'],
    [
      'crash_listener --consent /etc/metrics-consent --directory /srv/crash --per-vm --accept-cid 3',
      'keep those of the VM with CID 3 in /srv/crash/3, for as long as there is consent',
    ],
  ],
});

function consent(text: string): 'always' | 'never' | { readonly file: string } {
  return text === 'always' || text === 'never' ? text : { file: absolutePath(text) };
}
