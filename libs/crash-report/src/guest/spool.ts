import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { CrashReportSchema } from '@vm-tools/vm-rpc/vm-crash';
import type { Report } from './collect-crash.ts';
import type { CrashHost } from './crash-host.ts';

const MAX_REPORTS = 16;
const MAX_BYTES = 64 << 20;
/** What of the free space of a disk may be taken: 1/20. */
const SHARE_OF_FREE = 20;
/** Milliseconds since 1970 and a random number: oldest first when sorted. */
const REPORT = /^\d{15}-[0-9a-f]{16}\.crash$/;
/** A report that a process is sending, or writing. */
const CLAIMED = /^\.(\d+)-(\d{15}-[0-9a-f]{16}\.(?:crash|partial))$/;

export interface SpoolOptions {
  /** Default 16. */
  readonly maxReports?: number;
  /** Default 64 MiB, and never more than a twentieth of what is free on the disk. */
  readonly maxBytes?: number;
}

/** What became of the reports of a spool. */
export interface Resent {
  readonly kept: number;
  readonly refused: number;
  readonly left: number;
}

/**
 * Reports that wait for the host: files of a directory that only its user can read. Processes may use it at the same time: each
 * report is sent by one of them, and what a process that was killed had begun is taken over by the next.
 */
export class Spool {
  readonly #path: string;
  readonly #maxReports: number;
  readonly #maxBytes: number;

  constructor(path: string, { maxReports = MAX_REPORTS, maxBytes = MAX_BYTES }: SpoolOptions = {}) {
    this.#path = path;
    this.#maxReports = maxReports;
    this.#maxBytes = maxBytes;
  }

  /** Keeps a report. False: there is no room, and the report is lost. Errors of files */
  async put(report: Report): Promise<boolean> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    await this.#takeOver();
    const bytes = toBinary(CrashReportSchema, create(CrashReportSchema, report));
    if (!(await this.#hasRoomFor(bytes.length))) return false;
    const id = `${`${Date.now()}`.padStart(15, '0')}-${randomBytes(8).toString('hex')}`;
    const partial = join(this.#path, `.${process.pid}-${id}.partial`);
    try {
      await using file = await open(partial, 'wx', 0o600);
      await file.writeFile(bytes);
      await file.sync();
      await rename(partial, join(this.#path, `${id}.crash`));
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    return true;
  }

  /** Whether any report waits. */
  async isEmpty(): Promise<boolean> {
    return (await this.#reports()).length === 0;
  }

  /** Sends what waits, the oldest first, until the host cannot take more. Without its consent all are removed. */
  async resend(host: CrashHost): Promise<Resent> {
    await this.#takeOver();
    const names = await this.#reports();
    const result = { kept: 0, refused: 0, left: 0 };
    if (names.length === 0) return result;
    const consent = await host.consent();
    if (consent === 'away') return { ...result, left: names.length };
    for (const name of names) {
      const claimed = join(this.#path, `.${process.pid}-${name}`);
      if (!(await this.#claim(name, claimed))) continue;
      const outcome = consent === 'no' ? 'refused' : await sendFile(claimed, host);
      if (outcome === 'later') {
        await rename(claimed, join(this.#path, name));
        result.left = (await this.#reports()).length;
        return result;
      }
      await rm(claimed);
      result[outcome]++;
    }
    return result;
  }

  /** Another process may have been faster. */
  async #claim(name: string, claimed: string): Promise<boolean> {
    try {
      await rename(join(this.#path, name), claimed);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  /** What processes that are gone had claimed waits again; what they had not written to its end is removed. */
  async #takeOver(): Promise<void> {
    for (const file of await this.#names()) {
      const [, pid, name = ''] = CLAIMED.exec(file) ?? [];
      if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
      const path = join(this.#path, file);
      if (name.endsWith('.partial')) await rm(path, { force: true });
      else await this.#claim(file, join(this.#path, name));
    }
  }

  async #reports(): Promise<string[]> {
    return (await this.#names()).filter((name) => REPORT.test(name)).sort();
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  async #hasRoomFor(size: number): Promise<boolean> {
    const names = await this.#names();
    const sizes = names.map(
      async (name) => (await stat(join(this.#path, name)).catch(() => undefined))?.size,
    );
    const used = (await Promise.all(sizes)).reduce<number>((sum, each) => sum + (each ?? 0), 0);
    const { bavail, bsize } = await statfs(this.#path);
    const fits = used + size <= this.#maxBytes && size <= (bavail * bsize) / SHARE_OF_FREE;
    return fits && names.length < this.#maxReports;
  }
}

/** A file that is no report is refused as one. */
async function sendFile(path: string, host: CrashHost): Promise<'kept' | 'refused' | 'later'> {
  let report: Report;
  try {
    report = fromBinary(CrashReportSchema, await readFile(path));
  } catch {
    return 'refused';
  }
  return await host.send(report);
}
