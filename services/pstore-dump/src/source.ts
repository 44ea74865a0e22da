import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PstoreError, type RamoopsLayout } from '@vm-tools/pstore';
import { type RegionFile, readRegionFile } from '@vm-tools/pstore/host';
import { giveUp } from './exit.ts';

/** Where ChromeOS has the region of its Android VM: older releases, and newer ones by user. */
const ARCVM_FILE = '/run/arcvm/arcvm.pstore';
const CROSVM_STORE = '/run/daemon-store/crosvm';
/** `arcvm`, encoded. */
const CROSVM_FILE = 'YXJjdm0=.pstore';

/** The file that is meant. */
export function regionPath(file: string | undefined): string {
  if (file !== undefined) return file;
  const candidates = [
    ARCVM_FILE,
    ...usersOf(CROSVM_STORE).map((user) => join(CROSVM_STORE, user, CROSVM_FILE)),
  ];
  const found = candidates.find((path) => existsSync(path));
  return (
    found ??
    giveUp(
      `there is neither ${ARCVM_FILE} nor ${CROSVM_STORE}/*/${CROSVM_FILE}: name a file with --file`,
      'noSuchFile',
    )
  );
}

function usersOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Reads it; what is wrong ends the program with its own code. */
export function readRegion(path: string, layout: RamoopsLayout | string): RegionFile {
  return orGiveUp(() => readRegionFile(path, { layout }));
}

export function orGiveUp<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    return giveUpFor(error);
  }
}

/** Errors of reading are failures of the program's own kind; others go on. */
export function giveUpFor(error: unknown): never {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') giveUp(message, 'noSuchFile', error);
  if (error instanceof PstoreError || syscall !== undefined) giveUp(message, 'unreadable', error);
  throw error;
}
