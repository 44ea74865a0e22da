import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * A module of this folder and all that it imports as one script for a browser, which leaves what it exports in the global `name`.
 * Fails on any import of Node's, and of any package that is not there for browsers.
 */
export async function bundleForBrowser(file: string, name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: name,
    target: 'es2022',
    write: false,
    logLevel: 'silent',
  });
  return (outputFiles[0] as { text: string }).text;
}
