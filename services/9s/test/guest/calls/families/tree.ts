import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from '@vm-tools/linux';
import type { Path, Place } from '../place.ts';

const { AT_SYMLINK_FOLLOW, O_CREAT, O_DIRECTORY, O_EXCL, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, S_IFIFO } =
  constants;

export function folders(place: Place): void {
  place.mkdir('d');
  place.mkdir('d');
  place.mkdir('d/e/f');
  place.mkdir('d/e');
  place.mkdir('d/e/f/');
  place.look('d');
  place.look('d/e');
  writeFileSync('f', '');
  symlinkSync('d', 'l');
  symlinkSync('absent', 'dangling');
  for (const name of [
    'f',
    'f/x',
    'l',
    'l/in',
    'dangling',
    'dangling/x',
    'absent/x',
    '.',
    '..',
    'd/.',
    'd/..',
    '/',
    '',
  ]) {
    place.mkdir(name);
  }
  place.look('l/in');
  for (const name of [
    'd',
    'd/e',
    'd/e/f',
    'f',
    'f/x',
    'l',
    'l/',
    'dangling',
    'absent',
    '.',
    'd/.',
    'd/..',
    '',
  ]) {
    place.rmdir(name);
  }
  place.look('d');
  writeFileSync('d/e/file', '');
  place.rmdir('d/e');
  place.unlink('d/e/file');
  place.rmdir('d/e');
  place.rmdir('d/in');
  place.rmdir('d');
  place.look('.');
  place.note('a directory that is gone, from within');
  place.mkdir('here');
  const here = place.open('here', O_RDONLY | O_DIRECTORY);
  const root = process.cwd();
  process.chdir('here');
  place.rmdir('../here');
  place.mkdir('x');
  place.open('x', O_WRONLY | O_CREAT);
  place.symlink('x', 'y');
  place.list('.');
  place.stat('.');
  place.stat('..');
  process.chdir(root);
  place.fstat(here);
  place.note('deep');
  let path = 'deep';
  for (let depth = 0; depth < 60; depth++) {
    mkdirSync(path);
    path += `/a-folder-with-a-long-name-${depth}`;
  }
  place.close(place.open(path, O_WRONLY | O_CREAT));
  place.look(path);
  place.unlink(path);
  const longest = `${'./'.repeat(2046)}deep`;
  place.stat(longest.slice(-4095));
  place.stat(`${longest}xx`);
}

const things: Readonly<Record<string, (name: string) => void>> = {
  absent: () => undefined,
  file: (name) => writeFileSync(name, `the file ${name}`),
  empty: (name) => mkdirSync(name),
  full: (name) => {
    mkdirSync(`${name}/inner`, { recursive: true });
    writeFileSync(`${name}/file`, 'x');
  },
  link: (name) => symlinkSync('elsewhere', name),
};

/** Every kind over every kind. */
export function renames(place: Place): void {
  everyRename(place, ['']);
}

/** Every kind over every kind, if there is none, and against each other. */
export function flaggedRenames(place: Place): void {
  everyRename(place, ['RENAME_NOREPLACE', 'RENAME_EXCHANGE']);
}

function everyRename(place: Place, ways: readonly ('' | 'RENAME_NOREPLACE' | 'RENAME_EXCHANGE')[]): void {
  for (const flags of ways) {
    for (const [from, makeFrom] of Object.entries(things)) {
      for (const [to, makeTo] of Object.entries(things)) {
        for (const name of ['a', 'b']) rmSync(name, { recursive: true, force: true });
        makeFrom('a');
        makeTo('b');
        place.note(`${from} over ${to}`);
        place.rename('a', 'b', flags);
        place.look('a');
        place.look('b');
      }
    }
  }
}

export function furtherRenames(place: Place): void {
  for (const name of ['d/e/f', 'd2', 'x/y']) mkdirSync(name, { recursive: true });
  writeFileSync('file', 'contents');
  for (const [from, to] of [
    ['d', 'd/e/into-itself'],
    ['d', 'd'],
    ['d', 'd/'],
    ['d/', 'd3/'],
    ['d3', 'd'],
    ['file', 'file'],
    ['file', 'file2/'],
    ['file/', 'file2'],
    ['.', 'other'],
    ['d/.', 'other'],
    ['..', 'other'],
    ['d', '.'],
    ['d/e/f', 'd'],
    ['file', 'd'],
    ['d', 'file'],
    ['absent', 'x'],
    ['file', 'absent/x'],
    ['file/x', 'y'],
    ['file', 'file/x'],
    ['file', ''],
    ['', 'file'],
    ['d/e', 'd2/e'],
    ['file', 'd2/e/f/file'],
    ['d2/e/f/file', 'x/y/z'],
    ['d2', 'x/d2'],
    ['x/d2/e', 'e'],
  ] as const) {
    place.rename(from, to);
  }
  for (const name of ['.', 'd', 'x', 'x/d2', 'e', 'e/f', 'x/y']) place.look(name);
  place.note('what is open or linked');
  place.link('x/y/z', 'hard');
  place.rename('x/y/z', 'hard');
  place.look('x/y/z');
  place.isSame('x/y/z', 'hard');
  const below = place.open('x/y/z', O_RDWR);
  place.rename('x', 'renamed');
  place.pread(below, 20, 0);
  place.pwrite(below, 'changed ', 0);
  place.fstat(below);
  place.look('renamed/y/z');
  place.look('x/y/z');
  place.stat('renamed/d2');
  place.rename('renamed', 'w', 'RENAME_WHITEOUT');
}

export function links(place: Place): void {
  for (const [name, make] of Object.entries(things)) make(name);
  symlinkSync('file', 'to-file');
  place.mknod('fifo', S_IFIFO | 0o644);
  for (const name of [...Object.keys(things), 'to-file', 'fifo']) {
    place.link(name, `${name}2`);
    place.look(`${name}2`);
    place.isSame(name, `${name}2`);
    place.link(name, `${name}3`, AT_SYMLINK_FOLLOW);
    place.look(`${name}3`);
    place.link(name, 'file');
    place.look(name);
  }
  for (const [from, to] of [
    ['file', 'absent/x'],
    ['file', 'file/x'],
    ['file', 'empty/linked'],
    ['file', 'empty'],
    ['file', ''],
    ['file', 'new/'],
  ] as const) {
    place.link(from, to);
  }
  for (let count = 0; count < 20; count++) place.link('file', `many-${count}`);
  place.lstat('file');
  place.unlink('file');
  place.look('many-7');
  place.look('empty/linked');
  const fd = place.open('many-1', O_WRONLY);
  place.write(fd, 'ALL');
  place.look('many-19');
  for (let count = 0; count < 19; count++) place.unlink(`many-${count}`);
  place.fstat(fd);
  for (const name of [
    'full',
    'full/',
    'empty',
    '.',
    '..',
    '',
    'absent',
    'link',
    'link/',
    'to-file3',
    'to-file3/x',
  ])
    place.unlink(name);
  place.list('.');
}

export function symlinks(place: Place): void {
  writeFileSync('file', 'contents');
  mkdirSync('d');
  const targets: Record<string, Path> = {
    relative: 'file',
    absolute: '/etc/passwd',
    'absolute-absent': '/no/such/thing',
    up: '../symlinks/file',
    'far-up': '../../../../../../../etc/hostname-of-nobody',
    dot: '.',
    slashes: 'd///',
    space: ' a b\tc\n',
    bytes: Buffer.from([0x2f, 0xff, 0xfe, 0x80]),
    long: 'x'.repeat(255),
    longer: 'y/'.repeat(2000),
    longest: 'z'.repeat(4095),
    'too-long': 'z'.repeat(4096),
    empty: '',
    itself: 'itself',
    'there-and': 'back',
    back: 'there-and',
    file: 'file',
  };
  for (const [name, target] of Object.entries(targets)) {
    place.symlink(target, name);
    place.lstat(name);
    place.readlink(name);
  }
  for (const length of [1, 3, 4, 5, 100]) place.readlink('relative', length);
  for (const name of ['d', 'file', 'absent', 'file/x', 'd/', 'dot/relative', 'up/x']) place.readlink(name);
  for (const name of [
    'relative',
    'up',
    'far-up',
    'absolute-absent',
    'itself',
    'there-and',
    'dot',
    'slashes',
    'longest',
  ]) {
    place.stat(name);
    place.close(place.open(name, O_RDONLY));
    place.open(`${name}/x`, O_RDONLY);
    place.open(`${name}`, O_WRONLY | O_CREAT | O_EXCL);
  }
  for (let depth = 1; depth <= 41; depth++)
    symlinkSync(depth === 1 ? 'file' : `chain-${depth - 1}`, `chain-${depth}`);
  for (const depth of [1, 39, 40, 41]) place.stat(`chain-${depth}`);
  place.symlink('elsewhere', 'd');
  place.symlink('elsewhere', 'absent/x');
  place.symlink('elsewhere', 'd/x');
  place.look('d/x');
  place.symlink('elsewhere', 'd/x/');
  place.unlink('dot');
  place.list('.');
}

const badPaths = [
  'absent',
  'absent/x',
  'file/x',
  'file/',
  'folder',
  'link-to-folder/',
  'loop',
  'loop/x',
  'dangling',
  'dangling/x',
  '',
  'n'.repeat(256),
  `folder/${'n'.repeat(256)}/x`,
  'folder/..',
  '.',
];

/** Each call on each path that something is wrong with. */
export function badNames(place: Place): void {
  const prepare = () => {
    for (const name of ['file', 'folder', 'loop', 'dangling', 'link-to-folder', 'absent', 'to'])
      rmSync(name, { recursive: true, force: true });
    writeFileSync('file', 'contents');
    mkdirSync('folder/sub', { recursive: true });
    symlinkSync('loop', 'loop');
    symlinkSync('absent', 'dangling');
    symlinkSync('folder', 'link-to-folder');
  };
  const calls: Record<string, (path: string) => void> = {
    read: (path) => place.close(place.open(path, O_RDONLY)),
    write: (path) => place.close(place.open(path, O_WRONLY)),
    create: (path) => place.close(place.open(path, O_WRONLY | O_CREAT)),
    exclusive: (path) => place.close(place.open(path, O_WRONLY | O_CREAT | O_EXCL)),
    directory: (path) => place.close(place.open(path, O_RDONLY | O_DIRECTORY)),
    path: (path) => place.close(place.open(path, O_PATH)),
    stat: (path) => place.stat(path),
    lstat: (path) => place.lstat(path),
    mkdir: (path) => place.mkdir(path),
    mkfifo: (path) => place.mknod(path, S_IFIFO | 0o600),
    symlink: (path) => place.symlink('target', path),
    linkFrom: (path) => place.link(path, 'to'),
    linkTo: (path) => place.link('file', path),
    renameFrom: (path) => place.rename(path, 'to'),
    renameTo: (path) => place.rename('file', path),
    unlink: (path) => place.unlink(path),
    rmdir: (path) => place.rmdir(path),
    readlink: (path) => place.readlink(path),
    chmod: (path) => place.chmod(path, 0o755),
    chown: (path) => place.chown(path, 1, 1),
    truncate: (path) => place.truncate(path, 1),
    utimens: (path) => place.utimens(path, [1, 2], [3, 4]),
    getxattr: (path) => place.getxattr(path, 'trusted.x'),
    listxattr: (path) => place.listxattr(path),
  };
  for (const call of Object.values(calls)) {
    prepare();
    for (const path of badPaths) call(path);
    place.list('.');
  }
}

/** Names that are hard to carry. */
export function names(place: Place): void {
  const hard: Record<string, Path> = {
    longest: 'n'.repeat(255),
    'too long': 'n'.repeat(256),
    'longest of two bytes each': 'é'.repeat(127),
    'too long of two bytes each': 'é'.repeat(128),
    latin1: Buffer.from('caf\xe9', 'latin1'),
    'all high bytes': Buffer.from(Array.from({ length: 128 }, (_, index) => index + 128)),
    'all low bytes': Buffer.from(
      Array.from({ length: 127 }, (_, index) => index + 1).filter((byte) => byte !== 0x2f),
    ),
    'cut UTF-8': Buffer.from([0x61, 0xe2, 0x82]),
    surrogates: Buffer.from([0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]),
    newline: 'a\nb',
    backslash: 'a\\b',
    'three dots': '...',
    blank: ' ',
    dash: '-rf',
    colon: 'c:',
    'composed é': '\u00e9',
    'decomposed é': 'e\u0301',
    'upper case': 'NAME',
    'lower case': 'name',
  };
  for (const [what, name] of Object.entries(hard)) {
    place.note(what);
    const fd = place.open(name, O_RDWR | O_CREAT | O_EXCL);
    place.write(fd, what);
    place.close(fd);
    place.look(name);
  }
  place.list('.');
  for (const name of Object.values(hard)) {
    const other = Buffer.concat([Buffer.from(name).subarray(0, 254), Buffer.from('~')]);
    place.rename(name, other);
    place.link(other, name);
    place.unlink(other);
    place.symlink(name, other);
    place.readlink(other);
    place.unlink(name);
    place.mkdir(name);
    place.chmod(name, 0o711);
    place.look(name);
    place.unlink(other);
  }
  place.list('.');
  for (const name of Object.values(hard)) place.rmdir(name);
  place.look('.');
}
