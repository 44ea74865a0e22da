import { constants } from '@vm-tools/linux';

const { O_ACCMODE, O_APPEND, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_NOATIME, O_NOFOLLOW } = constants;
const { O_NONBLOCK, O_PATH, O_SYNC, O_TMPFILE, O_TRUNC, O_WRONLY, O_RDWR } = constants;

// A flag that holds another one's bits stands before it.
const openFlags = {
  O_TMPFILE,
  O_SYNC,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_APPEND,
  O_NONBLOCK,
  O_DIRECT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NOATIME,
  O_PATH,
};

/** As a C program would write them: `O_RDWR|O_CREAT`. */
export function openFlagsText(flags: number): string {
  const access = flags & O_ACCMODE;
  const words = [access === O_RDWR ? 'O_RDWR' : access === O_WRONLY ? 'O_WRONLY' : 'O_RDONLY'];
  let rest = flags & ~O_ACCMODE;
  for (const [name, bits] of Object.entries(openFlags)) {
    if ((rest & bits) !== bits) continue;
    words.push(name);
    rest &= ~bits;
  }
  return [...words, ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])].join('|');
}

/** As in `0644`. */
export function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
