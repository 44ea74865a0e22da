import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** `.cache/guest` at the root of the repository. Each folder in it is named by what it was built from; all may be deleted. */
export const cacheFolder = fileURLToPath(new URL('../../.cache/guest', import.meta.url));

const BUILDING = '.building-';
/** No build takes as long. */
const ABANDONED_MS = 3_600_000;

const TURN_MS = 200;

const building = new Map<string, Promise<string>>();

/**
 * The folder that `build` fills from `inputs`; it is built at the first call ever. Many processes may ask at once: each
 * builds in a folder of its own, the first to finish gives it its name.
 */
export function cached(
  kind: string,
  inputs: readonly (string | Uint8Array)[],
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = folderOf(kind, inputs);
  if (existsSync(folder)) return Promise.resolve(folder);
  let result = building.get(folder);
  if (!result) {
    result = buildInto(folder, build).finally(() => building.delete(folder));
    building.set(folder, result);
  }
  return result;
}

/**
 * As `cached`, for what takes minutes: the first process to ask builds, the others wait for it, and go on themselves when it
 * fails or is killed.
 */
export async function cachedByOne(
  kind: string,
  inputs: readonly (string | Uint8Array)[],
  build: (folder: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<string> {
  const folder = folderOf(kind, inputs);
  if (existsSync(folder)) return folder;
  await using _turn = await turnAt(basename(folder), signal);
  return await cached(kind, inputs, build);
}

function folderOf(kind: string, inputs: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(`${input.length}:`).update(input);
  return join(cacheFolder, `${kind}-${hash.digest('hex').slice(0, 16)}`);
}

/** Resolves when nobody else of this machine has it. It is an abstract Unix socket, so that it ends with its process. */
async function turnAt(name: string, signal: AbortSignal | undefined): Promise<AsyncDisposable> {
  for (;;) {
    const server = createServer();
    const taken = await new Promise<boolean>((resolve, reject) => {
      server.once('listening', () => resolve(true));
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
      );
      server.listen(`\0vm-tools-guest-${name}`);
    });
    if (taken) {
      const closed = () => new Promise<void>((resolve) => void server.close(() => resolve()));
      return { [Symbol.asyncDispose]: closed };
    }
    await sleep(TURN_MS, undefined, signal ? { signal } : {});
  }
}

async function buildInto(folder: string, build: (folder: string) => Promise<void>): Promise<string> {
  await mkdir(cacheFolder, { recursive: true });
  await removeAbandoned();
  const partial = await mkdtemp(folder + BUILDING);
  try {
    await build(partial);
    await rename(partial, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return folder;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** What a build left that was killed. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (!name.includes(BUILDING)) continue;
    const folder = join(cacheFolder, name);
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(folder, { recursive: true, force: true });
  }
}
