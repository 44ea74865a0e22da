import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cachedByOne } from './cache.ts';
import { packageNamed, unpackPackages } from './debian.ts';
import type { GuestKernel } from './kernel.ts';
import { moduleName } from './module-index.ts';
import { runTool, type Tool, ToolError, type ToolOptions, toolPath } from './tool.ts';

/** The kernel of guest/kernel. */
export interface BuiltKernel extends GuestKernel {
  /** For firmware: it has an EFI stub. */
  readonly bzImage: string;
  /** Addresses of its symbols. It is started without KASLR, and has them there. */
  readonly systemMap: string;
}

export interface BuildOptions extends ToolOptions {
  /** Told that and how far it is built; default standard error. */
  readonly tell?: (message: string) => void;
}

const SOURCE = 'linux-source-6.1';
const CONFIG = fileURLToPath(new URL('../kernel/config', import.meta.url));
/** Raised when what is built of the same configuration would come out otherwise. */
const FORMAT = '1';
const TOOLS: readonly Tool[] = ['gcc', 'make', 'flex', 'bison', 'bc', 'tar', 'xz'];
/** Of libelf-dev; the kernel's own tools are built with it. */
const LIBELF = '/usr/include/libelf.h';
const TELL_MS = 20_000;

/**
 * A kernel of Debian's sources with everything that persistent RAM can hold, and no modules. It is built at the first call, which takes minutes, and
 * anew when guest/kernel/config changes or Debian has newer sources.
 */
export async function builtKernel({
  tell = console.error,
  ...options
}: BuildOptions = {}): Promise<BuiltKernel> {
  const config = await readFile(CONFIG, 'utf8');
  const source = await packageNamed(SOURCE, options);
  const build = (partial: string) => buildKernel(partial, { config, source, tell, options });
  const folder = await cachedByOne('built-kernel', [FORMAT, config, source.version], build, options.signal);
  const builtin = await readFile(join(folder, 'modules.builtin'), 'utf8');
  return {
    vmlinux: join(folder, 'vmlinux'),
    bzImage: join(folder, 'bzImage'),
    systemMap: join(folder, 'System.map'),
    modulesFolder: folder,
    modules: { modules: {}, builtin: builtin.trim().split('\n').map(moduleName) },
  };
}

interface Build {
  readonly config: string;
  readonly source: { readonly name: string; readonly version: string };
  readonly tell: (message: string) => void;
  readonly options: ToolOptions;
}

async function buildKernel(partial: string, { config, source, tell, options }: Build): Promise<void> {
  for (const tool of TOOLS) toolPath(tool);
  if (!existsSync(LIBELF)) {
    throw new ToolError(
      'ERR_TOOL_NOT_FOUND',
      `${LIBELF}: no such file; a kernel is built with it. Install it with: apt-get install libelf-dev`,
    );
  }
  tell(`building a kernel of ${source.name} ${source.version}, once: this takes some minutes`);
  const unpacked = join(partial, 'unpacked');
  await mkdir(unpacked);
  await unpackPackages([source], unpacked, options);
  const archive = join(unpacked, `usr/src/${source.name}.tar.xz`);
  // Two thirds of what is not read.
  const without = ['*/Documentation/*/*', '*/tools/testing/*', '*/drivers/gpu/drm/amd/include/*'];
  const excluded = without.map((pattern) => `--exclude=${pattern}`);
  await runTool('tar', ['--extract', '--file', archive, ...excluded, '--directory', unpacked], options);
  const tree = join(unpacked, source.name);
  await configure(tree, config, options);
  await make(tree, tell, options);
  for (const file of ['vmlinux', 'System.map', 'modules.builtin', 'arch/x86/boot/bzImage'])
    await rename(join(tree, file), join(partial, file.replace(/.*\//, '')));
  await rename(join(tree, '.config'), join(partial, 'config'));
  await rm(unpacked, { recursive: true });
}

/** Nothing but what the file says, and what that needs. Rejects with ToolError when it cannot have all of it. */
async function configure(tree: string, config: string, options: ToolOptions): Promise<void> {
  const wanted = join(tree, 'wanted.config');
  await writeFile(wanted, config);
  await runTool('make', ['-s', '-C', tree, `KCONFIG_ALLCONFIG=${wanted}`, 'allnoconfig'], options);
  const given = new Set((await readFile(join(tree, '.config'), 'utf8')).split('\n'));
  const absent = config.split('\n').filter((line) => /CONFIG_\w/.test(line) && !given.has(line));
  if (absent.length === 0) return;
  throw new ToolError('ERR_TOOL_FAILED', `${CONFIG} asks for what this kernel cannot have: ${absent}`);
}

/** With all CPUs, but after everybody else. */
async function make(tree: string, tell: Build['tell'], { signal }: ToolOptions): Promise<void> {
  signal?.throwIfAborted();
  const jobs = `-j${availableParallelism()}`;
  const child = spawn('nice', ['-n', '19', toolPath('make'), jobs, '-C', tree, 'bzImage'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, to be ended with all that it has started.
    detached: true,
    env: { ...process.env, LC_ALL: 'C', KBUILD_BUILD_USER: 'vm-tools', KBUILD_BUILD_HOST: 'vm-tools' },
  });
  const onAbort = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const stderr: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  let compiled = 0;
  createInterface(child.stdout).on('line', (line) => {
    if (/^ {2}CC /.test(line)) compiled++;
  });
  const timer = setInterval(() => tell(`building a kernel: ${compiled} files are compiled`), TELL_MS);
  try {
    const status = await new Promise<number | string | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, by) => resolve(code ?? by));
    });
    signal?.throwIfAborted();
    if (status === 0) return;
    throw new ToolError('ERR_TOOL_FAILED', `make ended with ${status}:\n${Buffer.concat(stderr)}`.trimEnd());
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
