import { randomInt } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Code, ConnectError } from '@connectrpc/connect';
import type { CrashReport } from '@vm-tools/vm-rpc/vm-crash';
import { metaText } from './meta-file.ts';
import { plainLines } from './plain-text.ts';

const MAX_REPORTS = 32;
const MAX_PROCESS_TREE = 1 << 18;
const SIGNATURE = Buffer.from('MDMP');
/** `vm_crash.20260102.030405.00042.3.meta`: date, time (UTC), a random number, CID. */
const REPORT = /^(vm_crash\.\d{8}\.\d{6}\.\d{5}\.\d+)\.(meta|dmp|proclog)$/;
const PARTIAL = /^\.vm_crash\..*\.partial$/;

export interface ReportDirectoryOptions {
  /** How many reports it may hold; default 32. */
  readonly maxReports?: number;
  readonly now?: () => Date;
}

/** A report as it lies in a directory. */
export interface KeptReport {
  /** Paths. The .meta file is there last: when it is, the others are. */
  readonly meta: string;
  readonly minidump: string;
  readonly processTree: string;
  /** How many lines of metadata were left out, being none. */
  readonly leftOut: number;
}

/**
 * Keeps reports as `vm_crash.*.{meta,proclog,dmp}`, as the crash reporter of ChromeOS does. A report is there with all of its files
 * or not at all; what a process that was killed has left is removed by the next. One process at a time has a directory.
 */
export class ReportDirectory {
  readonly path: string;
  readonly #maxReports: number;
  readonly #now: () => Date;
  /** One after the other: each sees what the others have written. */
  #last: Promise<unknown> = Promise.resolve();
  #ready: Promise<void> | undefined;

  constructor(
    path: string,
    { maxReports = MAX_REPORTS, now = () => new Date() }: ReportDirectoryOptions = {},
  ) {
    this.path = path;
    this.#maxReports = maxReports;
    this.#now = now;
  }

  /**
   * Writes a report, and resolves when it is on the disk.
   *
   * @param cid of the VM that sent it: a part of the names
   * @throws ConnectError: INVALID_ARGUMENT for what is no report, RESOURCE_EXHAUSTED when the directory is full; errors of files
   */
  keep(report: Pick<CrashReport, 'metadata' | 'minidump' | 'processTree'>, cid: number): Promise<KeptReport> {
    const kept = this.#last.then(() => this.#keep(report, cid));
    this.#last = kept.catch(() => undefined);
    return kept;
  }

  async #keep(
    { metadata, minidump, processTree }: Pick<CrashReport, 'metadata' | 'minidump' | 'processTree'>,
    cid: number,
  ): Promise<KeptReport> {
    if (!SIGNATURE.equals(minidump.subarray(0, SIGNATURE.length))) {
      throw new ConnectError('the report has no minidump', Code.InvalidArgument);
    }
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    await this.#ready;
    const names = await this.#names();
    if (names.size >= this.#maxReports) {
      const problem = `there are ${names.size} reports already, and no more are kept until some are fetched`;
      throw new ConnectError(problem, Code.ResourceExhausted);
    }
    const base = this.#newName(names, cid);
    const files = { minidump: `${base}.dmp`, processTree: `${base}.proclog` };
    const { text, leftOut } = metaText(metadata, files);
    await this.#write([
      [files.processTree, plainLines(processTree.slice(0, MAX_PROCESS_TREE))],
      [files.minidump, minidump],
      [`${base}.meta`, text],
    ]);
    return {
      meta: join(this.path, `${base}.meta`),
      minidump: join(this.path, files.minidump),
      processTree: join(this.path, files.processTree),
      leftOut,
    };
  }

  /** Makes it, and removes what is not whole. */
  async #prepare(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    const all = await readdir(this.path);
    const there = new Set(all);
    const isOrphan = (name: string) => {
      const base = REPORT.exec(name)?.[1];
      return base !== undefined && !there.has(`${base}.meta`);
    };
    for (const name of all) if (PARTIAL.test(name) || isOrphan(name)) await rm(join(this.path, name));
  }

  async #names(): Promise<Set<string>> {
    const bases = (await readdir(this.path)).map((name) => REPORT.exec(name)?.[1]);
    return new Set(bases.filter((base) => base !== undefined));
  }

  #newName(names: ReadonlySet<string>, cid: number): string {
    const [date = '', time = ''] = this.#now().toISOString().replaceAll(/[-:]/g, '').split(/[T.]/);
    for (;;) {
      const number = `${randomInt(100_000)}`.padStart(5, '0');
      const base = `vm_crash.${date}.${time}.${number}.${cid}`;
      if (!names.has(base)) return base;
    }
  }

  /** All of the files, the last one last, or none. */
  async #write(files: readonly (readonly [name: string, content: string | Uint8Array])[]): Promise<void> {
    const made = new Set<string>();
    try {
      const partials = files.map(([name]) => join(this.path, `.${name}.partial`));
      for (const [index, [, content]] of files.entries()) {
        const path = partials[index] as string;
        await using file = await open(path, 'wx', 0o600);
        made.add(path);
        await file.writeFile(content);
        await file.sync();
      }
      for (const [index, [name]] of files.entries()) {
        const [from, to] = [partials[index] as string, join(this.path, name)];
        await rename(from, to);
        made.delete(from);
        made.add(to);
      }
      await using directory = await open(this.path, 'r');
      await directory.sync();
    } catch (error) {
      // The .meta file first: without it the others are no report.
      for (const path of [...made].reverse()) await rm(path, { force: true });
      throw error;
    }
  }
}
