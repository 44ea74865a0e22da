import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs that the guest is built with, and the Debian packages that have them. */
const packages = {
  'apt-cache': 'apt',
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  bc: 'bc',
  bison: 'bison',
  busybox: 'busybox-static',
  flex: 'flex',
  gcc: 'gcc libc6-dev',
  ldd: 'libc-bin',
  make: 'make',
  mke2fs: 'e2fsprogs',
  tar: 'tar',
  unshare: 'util-linux',
  xz: 'xz-utils',
} as const;

export type Tool = keyof typeof packages;

/** A program of the host that the guest is built with is absent or failed. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly code: 'ERR_TOOL_NOT_FOUND' | 'ERR_TOOL_FAILED';

  constructor(code: ToolError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface ToolOptions {
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a tool without a shell and resolves with its stdout. Rejects with ToolError, or the signal's reason. */
export async function runTool(
  tool: Tool,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<Buffer> {
  return runProgram(toolPath(tool), args, options);
}

/** As `runTool`, for a program by its path. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { cwd, signal }: ToolOptions = {},
): Promise<Buffer> {
  signal?.throwIfAborted();
  const child = spawn(program, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  const onAbort = () => void child.kill('SIGKILL');
  signal?.addEventListener('abort', onAbort, { once: true });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  try {
    const status = await new Promise<number | string | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, by) => resolve(code ?? by));
    });
    signal?.throwIfAborted();
    if (status === 0) return Buffer.concat(stdout);
    throw new ToolError(
      'ERR_TOOL_FAILED',
      `${program} ${args.join(' ')} ended with ${status}:\n${Buffer.concat(stderr)}`.trimEnd(),
    );
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Where the tool is. Throws ToolError with the command that installs it. */
export function toolPath(tool: Tool): string {
  // A user's PATH lacks the sbin folders, where mke2fs is.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = folders.map((folder) => join(folder, tool)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new ToolError(
    'ERR_TOOL_NOT_FOUND',
    `${tool}: no such program; the test guest is built with it. Install it with: apt-get install ${packages[tool]}`,
  );
}
