import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Where the kernel puts cores is one setting of the whole machine. Who relies on it holds this lock shared, who changes it alone;
 * so runs of several checkouts do not meet.
 */
export const CORE_PATTERN_LOCK = join(tmpdir(), 'vm-tools-core-pattern.lock');

// Puts everything back when its standard input ends: when whoever started it is done, has failed, or was killed.
const GUARDIAN = `
cd /proc/sys/kernel
pattern=$(cat core_pattern) limit=$(cat core_pipe_limit)
trap 'printf "%s\\n" "$pattern" > core_pattern; echo "$limit" > core_pipe_limit' EXIT
trap '' INT TERM HUP
echo 4 > core_pipe_limit && printf '%s\\n' "$1" > core_pattern && echo ready && cat > /dev/null
`;

/** Makes a command the kernel's handler of cores, until it is disposed. */
export class CoreHandler implements AsyncDisposable {
  readonly #guardian: ChildProcess;

  private constructor(guardian: ChildProcess) {
    this.#guardian = guardian;
  }

  /** @param pattern what follows the `|`; at most 126 bytes */
  static async install(pattern: string): Promise<CoreHandler> {
    const guardian = spawn('flock', [CORE_PATTERN_LOCK, 'sh', '-c', GUARDIAN, 'sh', `|${pattern}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // A signal to our group must not end it before it has put everything back.
      detached: true,
    });
    const handler = new CoreHandler(guardian);
    const ready = once(guardian.stdout!, 'data').then(() => true);
    const ended = once(guardian, 'exit').then(() => false);
    if (await Promise.race([ready, ended])) return handler;
    throw new Error('kernel.core_pattern cannot be set: the tests of a core handler run as root');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#guardian, 'exit');
    this.#guardian.stdin!.end();
    await ended;
  }
}
