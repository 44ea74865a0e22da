import {
  absolutePath,
  addressFor,
  defineProgram,
  ExitCode,
  packageVersion,
  wholeNumber,
} from '@vm-tools/daemon';

/** Where reports go, in the table of both programs. */
export const hostOption = {
  value: 'ADDRESS',
  default: 'vsock:host:7779',
  description: 'where the host listens',
} as const;

/** Command line, help text, man page and completion of crash_collector. */
export const program = defineProgram({
  name: 'crash_collector',
  section: 8,
  version: () => packageVersion(new URL('../package.json', import.meta.url)),
  summary: "report the crashes of this VM's programs to the host",
  description: [
    'One of --init, --user and --resend says what to do. With --init the kernel runs crash_collector for each program that crashes, and ' +
      'pipes it the core, which becomes a minidump on the way: nothing is written to disk, but for reports that wait for the host.',
    'The host is asked whether reports may be kept; without a yes there is none. Processes of containers (of other PID namespaces) are ' +
      'left alone. The log of a handler that the kernel has started goes to the log of the kernel.',
  ],
  options: {
    init: { description: 'have the kernel run this program for each crash (core(5)), and exit' },
    user: {
      value: 'PID:SIGNAL:UID:GID:EXEC',
      description:
        'report the process that has crashed, whose core is on standard input: what the kernel does',
    },
    resend: { description: 'send the reports that wait for the host, and exit' },
    handler: {
      value: 'PATH',
      completes: 'file',
      description:
        'for --init: what the kernel is to run, if not this program: a link to it, or a script that runs it',
    },
    host: { ...hostOption, parse: addressFor('connect') },
    spool: {
      value: 'DIR',
      default: '/var/spool/crash_collector',
      parse: absolutePath,
      completes: 'directory',
      description: 'where reports wait: at most 16, 64 MiB, and a twentieth of what is free',
    },
    budget: {
      value: 'BYTES',
      parse: wholeNumber({ min: 4096, max: 60 << 20 }),
      description: 'the most bytes of memory in a minidump; 25165824 unless given',
    },
    sanitize: { description: 'blank what on the stacks is neither small nor an address' },
  },
  operands: {},
  exitCodes: [
    ExitCode.ok,
    ExitCode.usage,
    ExitCode.unavailable,
    ExitCode.internal,
    ExitCode.osError,
    ExitCode.noPermission,
    ExitCode.config,
  ],
  examples: [
    ['crash_collector --init', 'report each crash from now on'],
    ['crash_collector --resend', 'send what could not be sent'],
  ],
});
