import { readFileSync } from 'node:fs';
import { ExitCode, ExitError } from '@vm-tools/daemon';
import {
  constants,
  execve,
  landlockRestrictSelf,
  noNewPrivileges,
  open,
  seccompFilter,
  setCloseOnExec,
} from '@vm-tools/linux';
import { type LandlockNeeds, landlockRules } from './landlock-rules.ts';
import { noExec, type SeccompNeeds, seccompRules } from './seccomp-rules.ts';

// Landlock and seccomp hold for the thread that asks for them, and Node.js has other threads before the first line of a program runs.
// So the main thread puts itself under them and executes its own program anew: that one begins with this thread alone, and every further
// thread comes from it. What the program opened before it takes along as descriptors, and where these are, in a variable.

const SECCOMP = 'seccomp';

/** In the environment of the program that was started over; of no meaning to any other process than `pid`. */
const VARIABLE = 'VM_TOOLS_9S_CONFINED';

/**
 * For the C library (mallopt(3)). Else it gives each thread a heap of its own, of which it takes little back, while ours hardly use one.
 * And once a buffer of a connection that has ended was freed, it takes the next ones from a heap as well: filled with zeros and so all
 * of it resident, where the kernel's pages are not until they are used (400 connections: 1,030 MB instead of 250).
 */
const MEMORY = ['MALLOC_ARENA_MAX=2', 'MALLOC_MMAP_THRESHOLD_=131072'];

/** What holds, and what does not and why. */
export interface InForce {
  readonly parts: readonly string[];
  readonly missing: readonly string[];
}

/** What a process that was started over finds. */
export interface Confined<State> {
  readonly inForce: InForce;
  readonly state: State;
}

export interface SandboxOptions<State> extends SeccompNeeds, Omit<LandlockNeeds, 'procSelf'> {
  /** Whether all of it must be there. */
  readonly required: boolean;
  /** Descriptors that are taken along, standard input, output and error besides. */
  readonly descriptors: readonly number[];
  /** What is to be known afterwards, as JSON has it. */
  readonly state: State;
}

/**
 * Starts the program over, confined: `startedOver` is what it finds then.
 *
 * @throws {ExitError} with exit code 78 when something is required that the kernel does not have
 * @throws {SystemError} when it cannot be started over
 */
export function startOver<State>(options: SandboxOptions<State>): never {
  const procSelf = open('/proc/self', constants.O_PATH | constants.O_DIRECTORY);
  const command = stringsOf('/proc/self/cmdline');
  // Sockets that were passed have become descriptors of ours, and so has the service manager's.
  const environment = stringsOf('/proc/self/environ').filter(
    (text) =>
      !/^(LISTEN_(PID|FDS|FDNAMES)|NOTIFY_SOCKET|VM_TOOLS_9S_CONFINED)=/.test(text.toString('latin1')),
  );
  for (const fd of [0, 1, 2, procSelf, ...options.descriptors]) setCloseOnExec(fd, false);
  noNewPrivileges();
  const parts: string[] = [];
  const missing: string[] = [];
  for (const [name, begin] of [
    [
      'landlock',
      () => {
        const { ruleset, abi } = landlockRules({ ...options, procSelf });
        landlockRestrictSelf(ruleset);
        return ` abi ${abi}`;
      },
    ],
    [
      SECCOMP,
      () => {
        seccompFilter(seccompRules(options));
        return '';
      },
    ],
  ] as const) {
    try {
      parts.push(name + begin());
    } catch (error) {
      const lack = `${name} (${(error as Error).message})`;
      if (options.required) throw notThere(lack, error);
      missing.push(lack);
    }
  }
  parts.push('no-new-privs');
  const found = { pid: process.pid, inForce: { parts, missing }, state: options.state };
  execve(process.execPath, command, [...environment, ...MEMORY, `${VARIABLE}=${JSON.stringify(found)}`]);
}

function notThere(lack: string, cause: unknown): ExitError {
  return new ExitError(`--sandbox require: there is no ${lack}; leave the option out to go on without`, {
    exitCode: ExitCode.config,
    code: 'ERR_NO_SANDBOX',
    cause,
  });
}

/** What `startOver` left for this process; undefined in one that has not been started over. Can be asked once. */
export function startedOver<State>(): Confined<State> | undefined {
  const text = process.env[VARIABLE];
  delete process.env[VARIABLE];
  if (text === undefined) return undefined;
  const { pid, inForce, state } = JSON.parse(text) as Confined<State> & { pid: number };
  return pid === process.pid ? { inForce, state } : undefined;
}

/** Takes from all threads the right to execute a program, which starting over needed. */
export function seal(inForce: InForce): InForce {
  if (inForce.parts.includes(SECCOMP)) seccompFilter(noExec(), { allThreads: true });
  return inForce;
}

/** Strings as the kernel keeps them, each with a NUL behind it. */
function stringsOf(path: string): Buffer[] {
  const bytes = readFileSync(path);
  const strings: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    strings.push(bytes.subarray(start, end < 0 ? bytes.length : end));
    start = end < 0 ? bytes.length : end + 1;
  }
  return strings;
}
