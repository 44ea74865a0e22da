import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import type { GuestFiles } from './image.ts';

/** A program of this repository, as a guest can run it. */
export interface GuestProgram {
  /** To be run with node. */
  readonly path: string;
  readonly files: GuestFiles;
}

const addon = fileURLToPath(new URL('../../libs/linux/build/Release/linux.node', import.meta.url));

/**
 * Makes one file of a program's sources and all that they import.
 * @param entry path of the program on the host
 * @param name of its folder in the guest, below /opt
 */
export function guestProgram(entry: string, name: string): GuestProgram {
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    conditions: ['@vm-tools/source'],
    // What is CommonJS among it asks for modules of Node by `require`.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    outfile: 'main.mjs',
  });
  const path = `/opt/${name}/src/main.mjs`;
  const files = {
    [path]: outputFiles[0]?.contents as Uint8Array,
    // Where @vm-tools/linux looks for it: below the folder above that of its sources.
    [`/opt/${name}/build/Release/linux.node`]: addon,
  };
  return { path, files };
}
