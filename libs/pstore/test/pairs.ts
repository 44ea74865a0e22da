import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const folder = fileURLToPath(new URL('data/', import.meta.url));
/** Pairs that `guest/record-pairs.ts` made with the kernel of guest/kernel. */
export const builtKernelFolder = `${folder}built-kernel/`;

/** A region of a real kernel, and what its next boot showed of it. */
export interface Pair {
  readonly name: string;
  readonly region: Uint8Array;
  /** The kernel command line of both boots. */
  readonly commandLine: string;
  /** Of /sys/fs/pstore. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export function readPair(name: string, place = folder): Pair {
  const files = new Map<string, Uint8Array>();
  for (const file of namesIn(`${place}${name}.files`))
    files.set(file, readFileSync(`${place}${name}.files/${file}`));
  return {
    name,
    region: gunzipSync(readFileSync(`${place}${name}.bin.gz`)),
    commandLine: readFileSync(`${place}${name}.params`, 'utf8'),
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

function pairsIn(place: string): string[] {
  return readdirSync(place)
    .filter((file) => file.endsWith('.bin.gz'))
    .map((file) => file.replace('.bin.gz', ''))
    .sort();
}

export const pairNames = pairsIn(folder);
export const builtKernelNames = pairsIn(builtKernelFolder);
