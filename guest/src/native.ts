import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached } from './cache.ts';
import { runTool, type ToolOptions } from './tool.ts';

/** Builds one of our C programs of one file, static, so that it runs in any guest. Resolves with its path. */
export async function nativeProgram(
  name: 'agent' | 'tsc-khz' | 'vsock-peer',
  options: ToolOptions = {},
): Promise<string> {
  const source = fileURLToPath(new URL(`../native/${name}.c`, import.meta.url));
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-static'];
  const folder = await cached(name, [await readFile(source), ...flags], async (partial) => {
    const program = join(partial, name);
    await runTool('gcc', [...flags, '-o', program, source], options);
    await chmod(program, 0o755);
  });
  return join(folder, name);
}
