import { join } from 'node:path';
import { type ConvertCoreOptions, type CoreSource, convertCore } from '@vm-tools/minidump/host';
import type { CrashReport } from '@vm-tools/vm-rpc/vm-crash';
import type { CrashedProcess } from './core-pattern.ts';
import { crashMetadata } from './metadata.ts';
import { processTree } from './process-tree.ts';

/** What is sent of a crash. */
export type Report = Pick<CrashReport, 'metadata' | 'minidump' | 'processTree'>;

export interface CollectOptions extends Pick<ConvertCoreOptions, 'budget' | 'sanitize' | 'signal'> {
  /** Default /proc; the process is looked for there by its id. */
  readonly proc?: string;
  /** Where lsb-release and os-release are; default /etc. */
  readonly etc?: string;
  readonly now?: Date;
}

/**
 * Makes a report of a core as it comes, all in memory, while the kernel holds the process.
 *
 * @throws CoreError when there is no core, or not a single thread in it; the signal's reason
 */
export async function collectCrash(
  input: CoreSource,
  crash: CrashedProcess,
  { proc = '/proc', etc = '/etc', now = new Date(), ...options }: CollectOptions = {},
): Promise<Report> {
  const metadata = crashMetadata(crash, { proc, etc, now });
  const tree = processTree(crash.pid, proc);
  const chunks: Uint8Array[] = [];
  await convertCore(input, (chunk) => chunks.push(chunk), { ...options, proc: join(proc, `${crash.pid}`) });
  return { metadata, processTree: tree, minidump: Buffer.concat(chunks) };
}
