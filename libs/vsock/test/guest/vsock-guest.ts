import { fileURLToPath } from 'node:url';
import { bootGuest, type Guest, type GuestOptions } from '@vm-tools/guest';
import { buildSync } from 'esbuild';

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The programs, each in one file beside the addon that it loads, as a guest has them. */
export function programFiles(
  name: string,
  addon: string = fromHere('../../../linux/build/Release/linux.node'),
): Record<string, string | Uint8Array> {
  const { outputFiles } = buildSync({
    entryPoints: [fromHere(`./programs/${name}.ts`)],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    conditions: ['@vm-tools/source'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    outfile: `${name}.mjs`,
  });
  return {
    [`/opt/vsock/src/${name}.mjs`]: outputFiles[0]?.contents as Uint8Array,
    // Where @vm-tools/linux looks for it: below the folder above that of its sources.
    '/opt/vsock/build/Release/linux.node': addon,
  };
}

/** A guest with vsock to itself, and the programs. */
export function bootVsockGuest(options: GuestOptions = {}): Promise<Guest> {
  return bootGuest({ node: true, modules: ['vsock_loopback'], files: programFiles('main'), ...options });
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
  const argv = ['/usr/local/bin/node', '/opt/vsock/src/main.mjs', set];
  const { status, signal, stdout, stderr } = await guest.exec(argv, { env, timeoutMs: 240_000 });
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
