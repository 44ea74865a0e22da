import { ExitCode, type Log } from '@vm-tools/daemon';
import { PSTORE_DIRECTORY, type PstoreFs, readPstoreFs } from '@vm-tools/pstore/host';
import { giveUp } from './exit.ts';
import { content, printable } from './json.ts';
import { type KindOptions, kindsAsked } from './kinds.ts';
import type { Output } from './output.ts';

export interface SystemOptions extends KindOptions {
  readonly json: boolean;
}

/** Prints what this machine's own kernel has kept: without further options everything. */
export function dumpSystem(options: SystemOptions, { output, log }: { output: Output; log: Log }): ExitCode {
  const read = readPstoreFs();
  for (const { path, code } of read.unreadable) log.warn('cannot be read', { path, code });
  if (read.empty) {
    const { reason, message } = read.empty;
    if (reason === 'no-directory') giveUp(message, 'noSuchFile');
    if (reason !== 'nothing-recorded') giveUp(message, 'unreadable');
    log.info(message);
  }
  if (options.json) output.text(printable(describe(read)));
  else printAll(read, options, output);
  return ExitCode.ok;
}

function printAll({ dumps, files }: PstoreFs, options: KindOptions, output: Output): void {
  const isAsked = options.dmesg || options.pmsg || options.ftrace || options.all;
  const kinds: readonly string[] = isAsked ? kindsAsked(options) : ['dmesg', 'console', 'pmsg', 'ftrace'];
  const parts = [
    ...(kinds.includes('dmesg') ? dumps : []).map(
      ({ backend, reason = 'dump', count, log, modified, missingParts }) => ({
        title: `${reason}#${count ?? '?'} of ${modified.toISOString()}, by ${backend}${missingParts.length > 0 ? `, without part ${missingParts.join(', ')}` : ''}`,
        data: log,
      }),
    ),
    ...files
      .filter(({ type }) => type !== 'dmesg' && (kinds.includes(type) || !isAsked))
      .map(({ path, data }) => ({ title: path, data })),
  ];
  for (const [index, { title, data }] of parts.entries()) {
    output.text(`${index > 0 ? '\n' : ''}==> ${title} <==\n`);
    output.guest(data);
  }
}

function describe({ dumps, files, empty }: PstoreFs): object {
  return {
    directory: PSTORE_DIRECTORY,
    empty,
    dumps: dumps.map(({ backend, reason, count, files: parts, missingParts, log, modified }) => ({
      backend,
      reason,
      count,
      time: modified.getTime() / 1000,
      files: parts.map(({ path }) => path),
      missingParts,
      ...content(log),
    })),
    files: files
      .filter(({ type }) => type !== 'dmesg')
      .map(({ path, type, backend, data, modified }) => ({
        path,
        type,
        backend,
        time: modified.getTime() / 1000,
        ...content(data),
      })),
  };
}
