import { OpenFlags } from '../wire/flags.ts';
import { constants } from './linux.ts';

/**
 * What is passed on of the client's flags, in the host's own numbers (they differ between architectures). Left out on purpose: O_CREAT and O_EXCL, which are
 * the operation's business; O_NOFOLLOW, always so; O_CLOEXEC, always set; O_DIRECT, since the client's buffers are not ours;
 * O_NOATIME, which only owners may; O_NONBLOCK and O_NOCTTY, since only files and directories are opened.
 */
const passed: readonly (readonly [client: number, host: number])[] = [
  [OpenFlags.truncate, constants.O_TRUNC],
  [OpenFlags.append, constants.O_APPEND],
  [OpenFlags.dsync, constants.O_DSYNC],
  [OpenFlags.sync, constants.O_SYNC],
  [OpenFlags.directory, constants.O_DIRECTORY],
];

/** Flags of Tlopen or Tlcreate as flags of the host's open(2). */
export function hostOpenFlags(flags: number): number {
  let host = flags & OpenFlags.accessMode;
  for (const [client, value] of passed) if ((flags & client) === client) host |= value;
  return host;
}

/** Whether a file opened with these flags can be changed. */
export function opensForWriting(flags: number): boolean {
  return (flags & OpenFlags.accessMode) !== OpenFlags.readOnly || (flags & OpenFlags.truncate) !== 0;
}
