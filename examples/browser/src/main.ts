import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** For a browser: whatever of Node were imported would be an error here. */
async function bundle(file: string, format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [here(file)],
    bundle: true,
    platform: 'browser',
    conditions: process.execArgv.includes('--conditions=@vm-tools/source') ? ['@vm-tools/source'] : [],
    format,
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  return (outputFiles[0] as { text: string }).text;
}

const files: Record<string, { type: string; content: string }> = {
  '/': { type: 'text/html', content: await readFile(here('../index.html'), 'utf8') },
  '/page.js': { type: 'text/javascript', content: await bundle('page.ts', 'esm') },
  '/worker.js': { type: 'text/javascript', content: await bundle('worker.ts', 'iife') },
};

const server = createServer(({ url = '' }, response) => {
  const file = Object.hasOwn(files, url) ? files[url] : undefined;
  response.writeHead(file === undefined ? 404 : 200, {
    'content-type': `${file?.type ?? 'text/plain'}; charset=utf-8`,
  });
  response.end(file?.content ?? 'not found\n');
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
