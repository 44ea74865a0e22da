import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `.cache/guest` at the root of the repository. Each folder in it is named by what it was built from; all may be deleted. */
export const cacheFolder = fileURLToPath(new URL('../../.cache/guest', import.meta.url));

const BUILDING = '.building-';
/** No build takes as long. */
const ABANDONED_MS = 3_600_000;

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
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(`${input.length}:`).update(input);
  const folder = join(cacheFolder, `${kind}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(folder)) return Promise.resolve(folder);
  let result = building.get(folder);
  if (!result) {
    result = buildInto(folder, build).finally(() => building.delete(folder));
    building.set(folder, result);
  }
  return result;
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
