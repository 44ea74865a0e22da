import type { FileSystem } from '@vm-tools/p9-protocol';
import { HostFileSystem } from '@vm-tools/p9-protocol/host';

export interface SlowFileSystemOptions {
  readonly root: string;
  /** Burned before each call. */
  readonly microseconds: number;
}

/** What one request each comes down to. */
const methods = ['walk', 'getattr', 'open', 'read', 'write', 'readdir', 'create', 'unlinkat'] as const;

/** The host's filesystem, made slower by a known amount: what a regression guard must notice. For `serveThreaded`. */
export function createFileSystem({ root, microseconds }: SlowFileSystemOptions): FileSystem {
  const fs = new HostFileSystem({ root });
  for (const name of methods) {
    const method = fs[name].bind(fs) as (...args: unknown[]) => unknown;
    Object.defineProperty(fs, name, {
      value: (...args: unknown[]) => {
        burn(microseconds);
        return method(...args);
      },
    });
  }
  return fs as FileSystem;
}

function burn(microseconds: number): void {
  const end = process.hrtime.bigint() + BigInt(Math.round(microseconds * 1000));
  while (process.hrtime.bigint() < end);
}
