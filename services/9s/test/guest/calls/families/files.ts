import { writeFileSync } from 'node:fs';
import { constants } from '@vm-tools/linux';
import type { Place } from '../place.ts';

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants;

/** Contents that tell where they are from: every eight bytes are others. */
const contents = Buffer.alloc(1 << 20);
for (let at = 0; at < contents.length; at += 8) contents.write(at.toString(16).padStart(8), at);

const pattern = (length: number) => contents.subarray(0, length);

/** Reading and writing: offsets, ends, holes, lengths around the borders of pages and messages. */
export function readAndWrite(place: Place): void {
  const fd = place.open('f', O_RDWR | O_CREAT | O_EXCL, 0o644);
  place.read(fd, 10);
  place.write(fd, 'hello');
  place.write(fd, '');
  place.read(fd, 10);
  place.seek(fd, 1, 'SEEK_SET');
  place.read(fd, 2);
  place.read(fd, 0);
  place.read(fd, 100);
  place.read(fd, 100);
  place.pread(fd, 3, 2);
  place.pread(fd, 3, 4);
  place.pread(fd, 3, 5);
  place.pread(fd, 3, 1000);
  place.pread(fd, 3, -1);
  place.pwrite(fd, 'HE', 0);
  place.pwrite(fd, 'x', -1);
  place.pwrite(fd, 'far', 20_000);
  place.look('f');
  place.pread(fd, 20_003, 0);
  place.seek(fd, 0, 'SEEK_END');
  place.seek(fd, -3, 'SEEK_END');
  place.read(fd, 3);
  place.seek(fd, 0, 'SEEK_CUR');
  place.seek(fd, -1, 'SEEK_SET');
  place.seek(fd, 2 ** 40, 'SEEK_SET');
  place.read(fd, 10);
  place.write(fd, 'beyond');
  place.fstat(fd);
  place.pread(fd, 10, 2 ** 40);
  place.ftruncate(fd, 0);
  for (const length of [1, 4095, 4096, 4097, 65_535, 65_536, 131_047, 131_048, 131_049, 131_072, 1_000_003]) {
    place.pwrite(fd, pattern(length), 7);
    place.pread(fd, length + 10, 0);
    place.pread(fd, length, 3);
    place.ftruncate(fd, 0);
  }
  place.close(fd);
  place.look('f');
}

/** Files that are open twice, for appending, for one way only. */
export function sharedFiles(place: Place): void {
  const a = place.open('f', O_WRONLY | O_CREAT | O_APPEND);
  const b = place.open('f', O_WRONLY | O_APPEND);
  const r = place.open('f', O_RDONLY);
  place.write(a, 'one ');
  place.write(b, 'two ');
  place.write(a, 'three ');
  place.read(r, 100);
  place.pwrite(a, 'appended all the same ', 0);
  place.read(r, 100);
  place.seek(a, 0, 'SEEK_CUR');
  place.read(a, 1);
  place.write(r, 'x');
  place.pwrite(r, 'x', 0);
  place.pread(a, 1, 0);
  place.ftruncate(r, 1);
  place.ftruncate(a, 5);
  place.write(b, 'end');
  place.look('f');
  const t = place.open('f', O_RDWR | O_TRUNC);
  place.fstat(r);
  place.read(r, 10);
  place.write(t, 'anew');
  place.write(a, '+');
  place.look('f');
  place.note('a directory');
  const d = place.open('.', O_RDONLY);
  place.read(d, 10);
  place.pread(d, 10, 0);
  place.write(d, 'x');
  place.ftruncate(d, 0);
  place.fsync(d);
  place.fdatasync(d);
  place.fstat(d);
  for (const fd of [a, b, r, t, d]) place.close(fd);
  place.attempt('descriptor that is closed', () => {
    place.fstat(a);
    return 0;
  });
}

/** truncate and ftruncate, up and down. */
export function sizes(place: Place): void {
  writeFileSync('f', pattern(10_000));
  const fd = place.open('f', O_RDWR);
  for (const size of [9999, 4097, 4096, 4095, 1, 0, 1, 4096, 12_345, 2 ** 32, 2 ** 33 + 1, 10]) {
    place.ftruncate(fd, size);
    place.fstat(fd);
    place.pread(fd, 100, Math.max(size - 50, 0));
    place.truncate('f', size + 3);
    place.lstat('f');
    place.seek(fd, 0, 'SEEK_END');
  }
  place.ftruncate(fd, -1);
  place.truncate('f', -1);
  place.truncate('f', 2 ** 62);
  place.lstat('f');
  place.truncate('.', 0);
  place.truncate('absent', 0);
  place.truncate('f/x', 0);
  place.symlink('f', 'link');
  place.truncate('link', 4);
  place.look('f');
  place.symlink('absent', 'dangling');
  place.truncate('dangling', 4);
  place.mknod('fifo', constants.S_IFIFO | 0o644);
  place.truncate('fifo', 4);
  place.fsync(fd);
  place.fdatasync(fd);
  place.close(fd);
  const r = place.open('f', O_RDONLY);
  place.fsync(r);
  place.fdatasync(r);
}

/** A file without a name lives on while it is open. */
export function unlinkedFiles(place: Place): void {
  const fd = place.open('gone', O_RDWR | O_CREAT);
  place.write(fd, 'before');
  place.fstat(fd);
  place.unlink('gone');
  place.look('gone');
  place.fstat(fd);
  place.pread(fd, 20, 0);
  place.write(fd, ' after');
  place.pread(fd, 20, 0);
  place.ftruncate(fd, 9);
  place.fstat(fd);
  place.fchmod(fd, 0o600);
  place.fchown(fd, 3, 4);
  place.futimes(fd, 1000, 2000);
  place.fsync(fd);
  place.fstat(fd);
  const anew = place.open('gone', O_RDWR | O_CREAT | O_EXCL);
  place.write(anew, 'another one');
  place.pread(fd, 20, 0);
  place.look('gone');
  place.close(fd);
  place.look('gone');
  place.note('renamed while open');
  place.rename('gone', 'moved');
  place.write(anew, ', moved');
  place.fstat(anew);
  place.look('moved');
  place.look('gone');
  place.note('replaced while open');
  const other = place.open('other', O_RDWR | O_CREAT);
  place.write(other, 'replacing');
  place.rename('other', 'moved');
  place.pread(anew, 30, 0);
  place.fstat(anew);
  place.write(anew, '!');
  place.pread(anew, 30, 0);
  place.look('moved');
  place.note('a directory that is removed while open');
  place.mkdir('d');
  const d = place.open('d', O_RDONLY);
  place.rmdir('d');
  place.fstat(d);
  place.note('hard link of an open file');
  place.link('moved', 'second');
  place.unlink('moved');
  place.fstat(other);
  place.look('second');
  place.unlink('second');
  place.fstat(other);
  place.pread(other, 30, 0);
}
