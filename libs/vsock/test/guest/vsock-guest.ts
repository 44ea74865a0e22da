import { fileURLToPath } from 'node:url';
import { bootGuest, type Guest, type GuestOptions, guestProgram } from '@vm-tools/guest';

export const program = guestProgram(fileURLToPath(new URL('./programs/main.ts', import.meta.url)), 'vsock');

/** A guest with vsock to itself, and the program. */
export function bootVsockGuest(options: GuestOptions = {}): Promise<Guest> {
  return bootGuest({ node: true, modules: ['vsock_loopback'], files: program.files, ...options });
}

export interface Outcome {
  readonly name: string;
  readonly error?: string;
}

/** Runs a set of checks in a guest; resolves with how each went, by name. */
export async function runChecks(
  guest: Guest,
  set: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Map<string, Outcome>> {
  const argv = ['/usr/local/bin/node', program.path, set];
  const { status, signal, stdout, stderr } = await guest.exec(argv, { env, timeoutMs: 850_000 });
  const outcomes = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Outcome);
  if (status !== 0) {
    const last = outcomes.at(-1)?.name ?? 'none';
    throw new Error(`the checks ended with ${status ?? signal} after "${last}": ${stderr}`);
  }
  return new Map(outcomes.map((outcome) => [outcome.name, outcome]));
}
