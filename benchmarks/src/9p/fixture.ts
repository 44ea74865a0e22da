import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache } from '../folders.ts';
import { nativeProgram } from '../native-program.ts';

/** The tree that all servers serve: two files of 64 MiB, one of 4 KiB, directories of 10,000 and of 30 files. */
export function fixture(): string {
  const folder = join(cache, 'fixture');
  made(folder, () => execFileSync(nativeProgram('p9load'), ['--setup', folder]));
  // What an interrupted run had created and not yet deleted; names begin with the load generator's process id.
  const scratch = join(folder, 'scratch');
  for (const name of readdirSync(scratch)) {
    const process = /^n(\d+)-/.exec(name)?.[1];
    if (process === undefined || !existsSync(`/proc/${process}`))
      rmSync(join(scratch, name), { force: true });
  }
  return folder;
}

/** A tree whose directory `big` holds so many files, and nothing else. */
export function directoryFixture(entries: number): string {
  const folder = join(cache, `entries-${entries}`);
  made(folder, () => {
    for (let index = 0; index < entries; index++) {
      closeSync(openSync(join(folder, 'big', `f${String(index).padStart(5, '0')}`), 'wx'));
    }
  });
  return folder;
}

/** Makes a tree unless an earlier run has finished it. */
function made(folder: string, make: () => void): void {
  const stamp = `${folder}.made`;
  if (existsSync(stamp) && existsSync(folder)) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'big'), { recursive: true });
  make();
  writeFileSync(stamp, '');
}
