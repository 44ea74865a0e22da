import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from '@vm-tools/linux';
import type { Place } from '../place.ts';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } =
  constants;

/** What can stand at the path that is opened. */
const targets: Readonly<Record<string, () => void>> = {
  absent: () => undefined,
  file: () => writeFileSync('t', 'contents'),
  'empty-folder': () => mkdirSync('t'),
  'link-to-file': () => {
    writeFileSync('f', 'contents');
    symlinkSync('f', 't');
  },
  'link-to-folder': () => {
    mkdirSync('d');
    symlinkSync('d', 't');
  },
  'dangling-link': () => symlinkSync('f', 't'),
  'looping-link': () => symlinkSync('t', 't'),
  'file-without-permissions': () => writeFileSync('t', 'contents', { mode: 0 }),
};

const flagSets = [
  0,
  O_CREAT,
  O_CREAT | O_EXCL,
  O_TRUNC,
  O_CREAT | O_TRUNC,
  O_APPEND,
  O_CREAT | O_APPEND,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_CREAT | O_NOFOLLOW,
  O_CREAT | O_EXCL | O_TRUNC,
  O_PATH,
];

/** Each way to open each kind of thing, with what is then there. */
export function openMatrix(place: Place): void {
  for (const [target, make] of Object.entries(targets)) {
    for (const access of [O_RDONLY, O_WRONLY, O_RDWR]) {
      for (const flags of flagSets) {
        if (flags === O_PATH && access !== O_RDONLY) continue;
        for (const name of ['t', 'f', 'd']) rmSync(name, { recursive: true, force: true });
        make();
        place.note(`target: ${target}`);
        const fd = place.open('t', access | flags, 0o640);
        if (fd >= 0) {
          place.write(fd, 'NEW');
          place.read(fd, 100);
          place.close(fd);
        }
        place.look('t');
        if (target.startsWith('link') || target.startsWith('dangling')) place.look('f');
      }
    }
  }
}

/** Opening what is not a file: the client's kernel does that by itself. */
export function openOthers(place: Place): void {
  const { O_NONBLOCK, O_DIRECT, O_TMPFILE, O_NOATIME, O_SYNC } = constants;
  writeFileSync('file', 'contents');
  mkdirSync('folder');
  execFileSync('mkfifo', ['fifo']);
  for (const flags of [
    O_RDONLY | O_NONBLOCK,
    O_WRONLY | O_NONBLOCK,
    O_RDWR,
    O_RDWR | O_CREAT,
    O_RDWR | O_TRUNC,
  ]) {
    place.close(place.open('fifo', flags));
  }
  place.open('fifo', O_RDONLY | O_CREAT | O_EXCL);
  for (const flags of [O_SYNC, O_NOATIME, O_DIRECT]) {
    const fd = place.open('file', O_RDWR | flags);
    place.pread(fd, 8, 0);
    place.close(fd);
  }
  const unnamed = place.open('folder', O_RDWR | O_TMPFILE, 0o600);
  if (unnamed >= 0) place.close(unnamed);
  for (const flags of [
    O_RDWR,
    O_WRONLY | O_CREAT,
    O_RDONLY | O_TRUNC,
    O_RDWR | O_DIRECTORY,
    O_DIRECTORY | O_CREAT,
  ]) {
    place.open('folder', flags);
    place.open('file/', flags);
    place.open('absent/', flags);
  }
  place.look('.');
}
