import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { bind, connect, constants, listen, socket } from '@vm-tools/linux';
import { octal } from '../flags.ts';
import type { Place, Time } from '../place.ts';

const { O_CREAT, O_RDONLY, O_RDWR, O_WRONLY, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK, UTIME_NOW, UTIME_OMIT } =
  constants;

/** One of each kind: f, d, l (to f), dangling, p. */
function makeKinds(): void {
  writeFileSync('f', 'file');
  mkdirSync('d');
  symlinkSync('f', 'l');
  symlinkSync('absent', 'dangling');
}

export function stats(place: Place): void {
  makeKinds();
  writeFileSync('empty', '');
  mkdirSync('d/in');
  writeFileSync('d/file', 'x'.repeat(10_000));
  place.mknod('p', S_IFIFO | 0o640);
  for (const path of [
    'f',
    'empty',
    'd',
    'd/in',
    'd/file',
    'l',
    'dangling',
    'p',
    'absent',
    '.',
    'd/.',
    'd/..',
    'l/',
    'd/',
    'f/',
  ]) {
    place.stat(path);
    place.lstat(path);
    const fd = place.open(path, constants.O_PATH | constants.O_NOFOLLOW);
    place.fstat(fd);
    place.close(fd);
  }
  const fd = place.open('d/file', O_RDONLY);
  place.fstat(fd);
  const d = place.open('d', O_RDONLY);
  place.fstat(d);
  place.isSame('d/..', '.');
  place.isSame('f', 'l');
  place.isSame('f', 'empty');
}

export function modes(place: Place): void {
  makeKinds();
  const bits = [0, 0o644, 0o777, 0o4755, 0o2755, 0o2644, 0o1777, 0o6711, 0o7777, 0o400, 0o100644, 0o40755];
  for (const path of ['f', 'd', 'l', 'dangling', 'absent', 'f/x']) {
    for (const mode of bits) {
      place.chmod(path, mode);
      place.lstat(path === 'l' ? 'f' : path);
    }
  }
  for (const [path, flags] of [
    ['f', O_RDWR],
    ['f', O_RDONLY],
    ['d', O_RDONLY],
  ] as const) {
    const fd = place.open(path, flags);
    for (const mode of bits) {
      place.fchmod(fd, mode);
      place.fstat(fd);
    }
    place.close(fd);
  }
  place.lstat('l');
}

/** What new things get: mode less umask, group of a set-gid directory. */
export function newModes(place: Place): void {
  const before = process.umask();
  for (const mask of [0, 0o022, 0o077, 0o777]) {
    process.umask(mask);
    for (const mode of [0, 0o666, 0o777, 0o4777, 0o2777, 0o1777, 0o7777]) {
      const name = `${octal(mask)}-${octal(mode)}`;
      place.close(place.open(`file-${name}`, O_WRONLY | O_CREAT, mode));
      place.lstat(`file-${name}`);
      place.mkdir(`folder-${name}`, mode);
      place.lstat(`folder-${name}`);
      place.mknod(`fifo-${name}`, S_IFIFO | mode);
      place.lstat(`fifo-${name}`);
    }
    place.symlink('x', `link-${octal(mask)}`);
    place.lstat(`link-${octal(mask)}`);
  }
  process.umask(before);
  place.note('below a directory that hands its group down');
  place.mkdir('shared', 0o2775);
  place.chown('shared', -1, 500);
  place.chmod('shared', 0o2775);
  place.close(place.open('shared/file', O_WRONLY | O_CREAT, 0o664));
  place.close(place.open('shared/set-gid', O_WRONLY | O_CREAT, 0o2775));
  place.mkdir('shared/folder');
  place.mkdir('shared/folder/deeper', 0o700);
  place.symlink('file', 'shared/link');
  place.mknod('shared/fifo', S_IFIFO | 0o600);
  for (const name of ['', '/file', '/set-gid', '/folder', '/folder/deeper', '/link', '/fifo'])
    place.lstat(`shared${name}`);
}

export function owners(place: Place): void {
  makeKinds();
  place.mknod('p', S_IFIFO | 0o640);
  const owners = [
    [1, 2],
    [-1, 3],
    [4, -1],
    [-1, -1],
    [65_534, 65_534],
    [4_000_000_000, 4_000_000_001],
    [0, 0],
  ] as const;
  for (const path of ['f', 'd', 'l', 'p', 'dangling', 'absent']) {
    for (const [uid, gid] of owners) {
      place.chown(path, uid, gid);
      place.lstat(path);
      place.chown(path, uid, gid, false);
      place.lstat(path);
    }
  }
  place.lstat('f');
  const fd = place.open('f', O_RDONLY);
  place.fchown(fd, 11, 12);
  place.fstat(fd);
  place.note('set-id bits');
  for (const mode of [0o6755, 0o4755, 0o2755, 0o2745, 0o6644]) {
    for (const path of ['f', 'd']) {
      for (const [uid, gid] of [
        [7, 8],
        [-1, 9],
        [6, -1],
        [-1, -1],
      ] as const) {
        place.chmod(path, mode);
        place.chown(path, uid, gid);
        place.lstat(path);
      }
    }
    place.chmod('f', mode);
    place.truncate('f', 2);
    place.lstat('f');
    const w = place.open('f', O_RDWR);
    place.write(w, 'x');
    place.fstat(w);
    place.close(w);
  }
}

const OMIT: Time = [0, UTIME_OMIT];

/** Times that are given: to the nanosecond, before 1970, beyond 2038, one of the two alone. */
export function times(place: Place): void {
  makeKinds();
  const values: Time[] = [
    [1_000_000_000, 123_456_789],
    [0, 0],
    [0, 1],
    [-1, 0],
    [-1, 999_999_999],
    [-2_147_483_648, 5],
    [-5_000_000_000, 0],
    [2_147_483_647, 999_999_999],
    [2_147_483_648, 1],
    [4_294_967_296, 0],
    [10_000_000_000, 7],
    [100_000_000_000, 0],
    [1, 1_000_000_000],
    [1, -1],
  ];
  for (const path of ['f', 'd']) {
    for (const value of values) {
      place.utimens(path, value, [5, 6]);
      place.times(path);
      place.utimens(path, OMIT, value);
      place.times(path);
      place.utimens(path, value, OMIT);
      place.times(path);
    }
  }
  place.utimens('l', [10, 1], [20, 2]);
  place.times('f');
  place.utimens('l', [30, 3], [40, 4], false);
  place.times('l');
  place.times('f');
  place.utimens('dangling', [10, 1], [20, 2]);
  place.utimens('dangling', [10, 1], [20, 2], false);
  place.times('dangling');
  place.utimens('absent', [10, 1], [20, 2]);
  place.utimens('f/x', [10, 1], [20, 2]);
  const fd = place.open('f', O_RDONLY);
  place.futimes(fd, 1_500_000_000.25, 1_600_000_000.5);
  place.times('f');
}

/** Times that follow from calls. */
export function changedTimes(place: Place): void {
  makeKinds();
  writeFileSync('d/in', 'x');
  mkdirSync('e');
  const now: Time = [0, UTIME_NOW];
  place.changesTimes('f', 'utimensat NOW NOW', () => place.utimens('f', now, now));
  place.changesTimes('f', 'utimensat NOW OMIT', () => place.utimens('f', now, OMIT));
  place.changesTimes('f', 'utimensat OMIT NOW', () => place.utimens('f', OMIT, now));
  place.changesTimes('f', 'utimensat OMIT OMIT', () => place.utimens('f', OMIT, OMIT));
  place.changesTimes('f', 'utimensat 1 2', () => place.utimens('f', [1, 0], [2, 0]));
  place.changesTimes('f', 'chmod', () => place.chmod('f', 0o600));
  place.changesTimes('f', 'chown', () => place.chown('f', 1, 1));
  place.changesTimes('f', 'chown to nobody', () => place.chown('f', -1, -1));
  place.changesTimes('f', 'truncate', () => place.truncate('f', 2));
  place.changesTimes('f', 'truncate to its size', () => place.truncate('f', 2));
  place.changesTimes('f', 'rename', () => place.rename('f', 'g'));
  place.rename('g', 'f');
  place.changesTimes('f', 'link', () => place.link('f', 'h'));
  place.changesTimes('f', 'unlink of another link', () => place.unlink('h'));
  const fd = place.open('f', O_RDWR);
  place.changesTimes('f', 'write', () => place.write(fd, 'abc'));
  place.changesTimes('f', 'write of nothing', () => place.write(fd, ''));
  place.changesTimes('f', 'pread', () => place.pread(fd, 1, 0));
  place.changesTimes('f', 'pread again', () => place.pread(fd, 1, 0));
  place.changesTimes('f', 'open for writing', () => place.close(place.open('f', O_WRONLY)));
  place.changesTimes('f', 'open with O_TRUNC', () =>
    place.close(place.open('f', O_WRONLY | constants.O_TRUNC)),
  );
  place.changesTimes('f', 'open with O_TRUNC when empty', () =>
    place.close(place.open('f', O_WRONLY | constants.O_TRUNC)),
  );
  place.changesTimes('f', 'setxattr', () => place.setxattr('f', 'trusted.x', 'y'));
  place.changesTimes('d', 'open with O_CREAT', () => place.close(place.open('d/new', O_WRONLY | O_CREAT)));
  place.changesTimes('d', 'open with O_CREAT of what is there', () =>
    place.close(place.open('d/new', O_WRONLY | O_CREAT)),
  );
  place.changesTimes('d', 'unlink', () => place.unlink('d/new'));
  place.changesTimes('d', 'unlink of what is absent', () => place.unlink('d/new'));
  place.changesTimes('d', 'mkdir', () => place.mkdir('d/new'));
  place.changesTimes('d', 'rmdir', () => place.rmdir('d/new'));
  place.changesTimes('d', 'symlink', () => place.symlink('x', 'd/new'));
  place.changesTimes('d', 'rename within', () => place.rename('d/new', 'd/newer'));
  place.changesTimes('d', 'rename out of it', () => place.rename('d/newer', 'e/newer'));
  place.changesTimes('e', 'rename out of it', () => place.rename('e/newer', 'd/newer'));
  place.changesTimes('e', 'rename into it', () => place.rename('d/newer', 'e/newer'));
  place.changesTimes('d', 'mknod', () => place.mknod('d/fifo', S_IFIFO | 0o600));
  place.changesTimes('d', 'link', () => place.link('f', 'd/linked'));
  place.changesTimes('d', 'chmod', () => place.chmod('d', 0o700));
  place.changesTimes('d', 'readdir', () => place.list('d'));
  place.changesTimes('l', 'readlink', () => place.readlink('l'));
  place.changesTimes('d/in', 'rename of its directory', () => place.rename('d', 'D'));
  place.changesTimes('f', 'stat', () => place.lstat('f'));
  place.changesTimes('e', 'write to a file in it', () => place.close(place.open('e/newer', O_RDONLY)));
}

/** FIFOs, sockets and devices: the server makes them, the client's kernel opens them. */
export function nodes(place: Place): void {
  const kinds = {
    fifo: S_IFIFO,
    socket: S_IFSOCK,
    file: constants.S_IFREG,
    none: 0,
    null: S_IFCHR,
    zero: S_IFCHR,
    disk: S_IFBLK,
    'big-numbers': S_IFBLK,
  } as const;
  const numbers: Partial<Record<keyof typeof kinds, readonly [number, number]>> = {
    null: [1, 3],
    zero: [1, 5],
    disk: [240, 17],
    'big-numbers': [259, 1_000_000],
  };
  for (const [name, kind] of Object.entries(kinds)) {
    const [major, minor] = numbers[name as keyof typeof kinds] ?? [0, 0];
    place.mknod(name, kind | 0o640, major, minor);
    place.look(name);
    place.mknod(name, kind | 0o640, major, minor);
  }
  place.mknod('folder', constants.S_IFDIR | 0o755);
  place.mknod('link', constants.S_IFLNK | 0o755);
  place.mknod('absent/x', S_IFIFO | 0o600);
  place.mknod('fifo/x', S_IFIFO | 0o600);
  place.list('.');
  place.note('use');
  const sink = place.open('null', O_RDWR);
  place.write(sink, 'into nothing');
  place.read(sink, 10);
  const source = place.open('zero', O_RDWR);
  place.read(source, 10);
  place.open('socket', O_RDWR);
  place.open('disk', O_RDONLY | constants.O_NONBLOCK | constants.O_EXCL);
  place.open('big-numbers', O_RDONLY);
  place.open('fifo', O_WRONLY | constants.O_NONBLOCK);
  const reading = place.open('fifo', O_RDONLY | constants.O_NONBLOCK);
  place.read(reading, 10);
  const writing = place.open('fifo', O_WRONLY | constants.O_NONBLOCK);
  place.read(reading, 10);
  place.write(writing, 'through the pipe');
  place.read(reading, 7);
  place.fstat(reading);
  place.close(writing);
  place.read(reading, 100);
  place.read(reading, 100);
  place.seek(reading, 0, 'SEEK_SET');
  place.look('fifo');
  place.attempt('bind to a socket', () => listenAt('bound', place));
  place.attempt('bind to what is there', () => listenAt('bound', place));
  place.look('bound');
  place.attempt('connect', () => connectTo('bound', place));
  place.attempt('connect to nobody', () => connectTo('socket', place));
  place.unlink('bound');
  place.chmod('fifo', 0o7777);
  place.chown('socket', 1, 2);
  place.chmod('null', 0o600);
  place.chown('null', 3, 4);
  place.utimens('disk', [1, 2], [3, 4]);
  place.times('disk');
  place.link('fifo', 'fifo2');
  place.link('null', 'null2');
  place.rename('socket', 'socket2');
  for (const name of ['fifo', 'fifo2', 'socket', 'socket2', 'null', 'null2', 'disk']) place.look(name);
  for (const name of Object.keys(kinds)) place.unlink(name);
  place.list('.');
}

function listenAt(path: string, place: Place): void {
  const fd = socket(constants.AF_UNIX, constants.SOCK_STREAM);
  place.willClose(fd);
  bind(fd, { family: 'unix', path });
  listen(fd, 1);
}

function connectTo(path: string, place: Place): void {
  const fd = socket(constants.AF_UNIX, constants.SOCK_STREAM);
  place.willClose(fd);
  connect(fd, { family: 'unix', path });
}
