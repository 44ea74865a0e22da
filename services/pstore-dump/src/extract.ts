import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ExitCode, ExitError, type Log } from '@vm-tools/daemon';
import { kernelFiles, type Ramoops, type SymbolTable } from '@vm-tools/pstore';

export interface ExtractOptions {
  readonly folder: string;
  readonly symbols: SymbolTable | undefined;
  readonly log: Log;
}

/** Writes the files of /sys/fs/pstore at the next boot, with its times. What is there already is left alone, and ends the program. */
export function extract(ramoops: Ramoops, { folder, symbols, log }: ExtractOptions): void {
  const files = kernelFiles(ramoops, symbols ? { symbols } : {});
  try {
    mkdirSync(folder, { recursive: true });
    for (const { name, data, time } of files) {
      const path = join(folder, name);
      writeFileSync(path, data, { flag: 'wx' });
      // Damage may have made it a time that no file can have.
      if (time && time.seconds > 0n && time.seconds < 1n << 40n) {
        utimesSync(path, Number(time.seconds), Number(time.seconds) + time.nanoseconds / 1e9);
      }
      log.info('extracted', { file: path, bytes: data.length });
    }
  } catch (error) {
    const { code = 'ERR_EXTRACT', message } = error as NodeJS.ErrnoException;
    throw new ExitError(`--extract: ${message}; name a directory without such files`, {
      exitCode: ExitCode.cannotCreate,
      code,
      cause: error,
    });
  }
  if (files.length === 0) log.warn('there is nothing to extract');
}
