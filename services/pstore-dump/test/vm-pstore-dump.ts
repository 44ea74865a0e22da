import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const fromHere = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const commandLines = {
  sources: ['--conditions=@vm-tools/source', fromHere('../src/main.ts')],
  build: [fromHere('../dist/main.cjs')],
};
const data = fromHere('../../../libs/pstore/test/data/');

/** How it ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs it to its end. */
export async function run(
  args: readonly string[],
  from: keyof typeof commandLines = 'sources',
): Promise<Ended> {
  const child = spawn(process.execPath, [...commandLines[from], ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, stdout: Buffer.concat(stdout), stderr };
}

/** Starts it, for what does not end by itself. */
export function start(args: readonly string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, [...commandLines.sources, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** One of the real regions, as a file in a folder. */
export function regionFile(folder: string, name: string): string {
  const path = join(folder, `${name}.bin`);
  writeFileSync(path, gunzipSync(readFileSync(`${data}${name}.bin.gz`)));
  return path;
}

/** What the kernel showed of it. */
export function kernelFile(name: string, file: string): Buffer {
  return readFileSync(`${data}${name}.files/${file}`);
}

export function commandLineOf(name: string): string {
  return readFileSync(`${data}${name}.params`, 'utf8');
}
