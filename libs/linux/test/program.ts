import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How {@link run} starts a program. */
export interface Options {
  /** For Node. */
  readonly flags?: readonly string[];
  /** For the program. */
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The Node to run it, and what runs that; this process's own unless given. */
  readonly under?: readonly [command: string, ...args: string[]];
}

/**
 * Runs a program of this folder in a process of its own, from the sources, and waits for its end.
 * @param file its name here, or the source itself
 */
export function run(
  file: string | { readonly source: string },
  { flags = [], args = [], env = {}, under = [process.execPath] }: Options = {},
): SpawnSyncReturns<string> {
  const program =
    typeof file === 'string'
      ? [fileURLToPath(new URL(file, import.meta.url))]
      : ['--input-type=module-typescript', '--eval', file.source];
  const [command, ...before] = under;
  const all = [
    ...before,
    '--conditions=@vm-tools/source',
    '--disable-warning=ExperimentalWarning',
    ...flags,
    ...program,
    ...args,
  ];
  return spawnSync(command, all, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 120_000,
  });
}

/** The variable that makes node-gyp-build load the addon of another folder. */
export function addonOf(folder: string): NodeJS.ProcessEnv {
  return { '@VM_TOOLS/LINUX_PREBUILD': folder };
}
