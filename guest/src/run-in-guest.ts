import { bootGuest, type GuestOptions } from './boot-guest.ts';
import type { ExecResult } from './guest.ts';

export interface RunOptions extends GuestOptions {
  /** For /bin/sh. */
  readonly script: string;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Paths to read when the script has ended; one that is not there makes the whole fail. */
  readonly collect?: readonly string[];
  /** Milliseconds for the script; default 60,000. */
  readonly scriptTimeoutMs?: number;
}

export interface RunResult extends ExecResult {
  readonly files: Readonly<Record<string, Buffer>>;
  readonly console: string;
}

/** Boots a guest for one script and ends it. Rejects as `bootGuest` and `Guest.exec` do; a status is a result. */
export async function runInGuest(options: RunOptions): Promise<RunResult> {
  const { script, input = '', env = {}, collect = [], scriptTimeoutMs = 60_000, signal } = options;
  await using guest = await bootGuest(options);
  const limits = { timeoutMs: scriptTimeoutMs, ...(signal ? { signal } : {}) };
  const result = await guest.exec(['/bin/sh', '-c', script], { input, env, ...limits });
  const files: Record<string, Buffer> = {};
  for (const path of collect) files[path] = await guest.readFile(path, limits);
  return { ...result, files, console: guest.console.text };
}
