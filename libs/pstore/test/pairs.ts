import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const folder = fileURLToPath(new URL('data/', import.meta.url));

/** A region of a real kernel, and what its next boot showed of it. */
export interface Pair {
  readonly name: string;
  readonly region: Uint8Array;
  /** The kernel command line of both boots. */
  readonly commandLine: string;
  /** Of /sys/fs/pstore. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export function readPair(name: string): Pair {
  const files = new Map<string, Uint8Array>();
  for (const file of namesIn(`${folder}${name}.files`))
    files.set(file, readFileSync(`${folder}${name}.files/${file}`));
  return {
    name,
    region: gunzipSync(readFileSync(`${folder}${name}.bin.gz`)),
    commandLine: readFileSync(`${folder}${name}.params`, 'utf8'),
    files,
  };
}

/** git keeps no empty folders. */
function namesIn(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export const pairNames = readdirSync(folder)
  .filter((file) => file.endsWith('.bin.gz'))
  .map((file) => file.replace('.bin.gz', ''))
  .sort();
