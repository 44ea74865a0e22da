import { defineProgram, ExitCode, packageVersion } from '@vm-tools/daemon';

/** Command line, help text, man page and completion of vm_pstore_dump. */
export const program = defineProgram({
  name: 'vm_pstore_dump',
  section: 1,
  version: () => packageVersion(new URL('../package.json', import.meta.url)),
  summary: "print what a guest's kernel left in persistent RAM",
  description: [
    'Reads a region of persistent RAM (ramoops) as the kernel of the guest would at its next boot, and prints its console, or what is ' +
      'asked for. The file is the region, or with --cmdline the memory of the whole machine.',
    'On a terminal, control characters of the guest are shown and not obeyed. What is wrong with the region is told on standard error.',
    'It ends with 0 when what was asked for could be read, though it be nothing, with 1 when it could not, and with 2 when there is no ' +
      'such file.',
  ],
  options: {
    file: {
      short: 'f',
      value: 'FILE',
      completes: 'file',
      description: "the region; without it, that of this machine's Android VM, where ChromeOS has it",
    },
    dmesg: { description: 'print dumps: the log of the kernel when it panicked, oopsed, or was shut down' },
    pmsg: { description: 'print the messages of user space' },
    ftrace: { description: 'print the functions that were called' },
    all: { short: 'a', description: 'print everything, the console too' },
    json: { description: 'print it as JSON' },
    layout: {
      value: 'SPEC',
      description:
        'how the region is laid out: record=128K,console=64K,ftrace=4K,pmsg=64K,ecc=16 and the like, or arcvm; without it, that is found out',
    },
    cmdline: { value: 'TEXT', description: 'the same as the command line of the kernel that wrote it' },
    symbols: {
      value: 'FILE',
      completes: 'file',
      description: 'a System.map of that kernel, or its /proc/kallsyms, for the names of functions',
    },
    extract: {
      value: 'DIR',
      completes: 'directory',
      description:
        'write files there, named and filled as the kernel does: dmesg-ramoops-0, console-ramoops-0, ...',
    },
    follow: { description: 'print the console as the guest goes on writing it' },
    system: { description: "read this machine's own pstore filesystem" },
    raw: { description: 'let control characters of the guest through to the terminal' },
  },
  operands: {},
  exitCodes: [ExitCode.ok, ExitCode.usage, ExitCode.internal, ExitCode.cannotCreate],
  examples: [
    ['vm_pstore_dump --file /run/vm/arcvm.pstore', 'the console of a guest that has died'],
    [
      'vm_pstore_dump --file ram --cmdline "$(cat cmdline)" --all',
      'everything, from the memory of a machine',
    ],
    [
      'vm_pstore_dump --file ram --layout record=128K,console=64K --follow',
      'the console of a guest that runs',
    ],
    ['vm_pstore_dump --system --dmesg', 'why this machine died'],
  ],
});
