import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { name, outside, refused, type ScratchDirectory, test } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import { close, openat, reopen, umask } from './descriptor.ts';
import {
  fchownat,
  getdents64,
  linkat,
  mkdirat,
  mknodat,
  readlinkat,
  renameat2,
  symlinkat,
  unlinkat,
  utimensat,
} from './directory.ts';
import { Errno, errnoCode } from './errno.ts';
import { lseek } from './file.ts';

const { O_RDONLY, O_PATH, O_NOFOLLOW, O_DIRECTORY, S_IFMT, S_IFIFO, S_IFSOCK, S_IFREG, S_IFCHR } = constants;
const { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, UTIME_NOW, UTIME_OMIT } =
  constants;

/** The names in a directory as bytes in latin1, read with a buffer of that many bytes; without `.` and `..`. */
function list(directory: ScratchDirectory, size = 4096): string[] {
  const fd = reopen(directory.fd, O_RDONLY | O_DIRECTORY);
  const buffer = Buffer.alloc(size);
  const names: string[] = [];
  for (;;) {
    const filled = getdents64(fd, buffer, 0, size);
    if (filled < 0) throw new Error(errnoCode(filled));
    if (filled === 0) break;
    for (let at = 0; at < filled; at += buffer.readUInt16LE(at + 16)) {
      const start = at + 19;
      const entry = buffer.toString('latin1', start, buffer.indexOf(0, start));
      if (entry !== '.' && entry !== '..') names.push(entry);
    }
  }
  close(fd);
  return names.sort();
}

describe('names are bytes', () => {
  const anyName = fc
    .uint8Array({ minLength: 1, maxLength: 255 })
    .map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x5f : byte)))
    .filter((bytes) => !['.', '..'].includes(Buffer.from(bytes).toString('latin1')));

  test('whatever they are, they can be made, listed, linked, moved and removed', ({ directory }) => {
    const before = umask(0);
    fc.assert(
      fc.property(anyName, anyName, (first, second) => {
        const [a, b] = [Buffer.from(first).toString('latin1'), Buffer.from(second).toString('latin1')];
        fc.pre(a !== b);
        const { fd } = directory;
        expect(mknodat(fd, ...name(first), S_IFREG | 0o600, 0, 0)).toBe(0);
        expect(linkat(fd, ...name(first), fd, ...name(second), 0)).toBe(0);
        expect(list(directory)).toEqual([a, b].sort());
        expect(unlinkat(fd, ...name(first), 0)).toBe(0);
        expect(renameat2(fd, ...name(second), fd, ...name(first), 0)).toBe(0);
        expect(symlinkat(...name(first), fd, ...name(second))).toBe(0);
        const target = Buffer.alloc(300);
        expect(readlinkat(fd, ...name(second), target, 0, 300)).toBe(first.length);
        expect(target.subarray(0, first.length)).toEqual(Buffer.from(first));
        for (const each of [first, second]) expect(unlinkat(fd, ...name(each), 0)).toBe(0);
        expect(list(directory)).toEqual([]);
      }),
    );
    umask(before);
  });

  test.for(refused)('but no call takes the name %#', ([bytes, start, length, code], { directory }) => {
    const { fd } = directory;
    const buffer = Buffer.alloc(8);
    const bad = [bytes, start, length] as const;
    const calls = {
      readlinkat: readlinkat(fd, ...bad, buffer, 0, 8),
      mkdirat: mkdirat(fd, ...bad, 0o700),
      mknodat: mknodat(fd, ...bad, S_IFREG, 0, 0),
      symlinkat: symlinkat(...name('x'), fd, ...bad),
      'symlinkat target': symlinkat(...bad, fd, ...name('x')),
      linkat: linkat(fd, ...name('x'), fd, ...bad, 0),
      'linkat from': linkat(fd, ...bad, fd, ...name('x'), 0),
      renameat2: renameat2(fd, ...name('x'), fd, ...bad, 0),
      'renameat2 from': renameat2(fd, ...bad, fd, ...name('x'), 0),
      unlinkat: unlinkat(fd, ...bad, 0),
      fchownat: fchownat(fd, ...bad, -1, -1, 0),
      utimensat: utimensat(fd, ...bad, 0, 0, 0, 0, 0),
    };
    for (const [call, result] of Object.entries(calls)) expect(errnoCode(result), call).toBe(code);
    expect(list(directory)).toEqual([]);
  });
});

describe('getdents64', () => {
  test('lists thousands of names over several buffers', ({ directory }) => {
    const names = Array.from({ length: 2000 }, (_, index) => `file-${index}`).sort();
    for (const each of names) writeFileSync(join(directory.path, each), '');
    expect(list(directory, 512)).toEqual(names);
    expect(list(directory, 1 << 20)).toEqual(names);
  });

  test('goes on where the offset of an entry says', ({ directory }) => {
    for (const each of ['a', 'b', 'c']) writeFileSync(join(directory.path, each), '');
    const fd = reopen(directory.fd, O_RDONLY | O_DIRECTORY);
    const all = Buffer.alloc(4096);
    const filled = getdents64(fd, all, 0, 4096);
    const first = all.readUInt16LE(16);
    expect(lseek(fd, all.readBigInt64LE(8), constants.SEEK_SET)).toBe(0);
    const rest = Buffer.alloc(4096);
    expect(getdents64(fd, rest, 100, 3996)).toBe(filled - first);
    expect(rest.subarray(100, 100 + filled - first)).toEqual(all.subarray(first, filled));
    close(fd);
  });

  test('gives a negative errno', ({ directory }) => {
    const fd = reopen(directory.fd, O_RDONLY | O_DIRECTORY);
    const buffer = Buffer.alloc(8);
    expect(getdents64(fd, buffer, 0, 8)).toBe(-Errno.EINVAL);
    expect(getdents64(-1, buffer, 0, 8)).toBe(-Errno.EBADF);
    for (const [start, length] of outside) expect(getdents64(fd, buffer, start, length)).toBe(-Errno.EFAULT);
    close(fd);
    const file = openat(directory.fd, ...name('/dev/null'), O_RDONLY, 0);
    expect(getdents64(file, buffer, 0, 8)).toBe(-Errno.ENOTDIR);
    close(file);
  });
});

describe('readlinkat', () => {
  test('reads by name, by O_PATH descriptor, and cuts at the end of the range', ({ directory }) => {
    symlinkSync('the-target', join(directory.path, 'link'));
    const buffer = Buffer.alloc(20, '.');
    expect(readlinkat(directory.fd, ...name('link'), buffer, 2, 18)).toBe(10);
    expect(buffer.toString()).toBe('..the-target........');
    const link = openat(directory.fd, ...name('link'), O_PATH | O_NOFOLLOW, 0);
    buffer.fill('.');
    expect(readlinkat(link, ...name(''), buffer, 0, 3)).toBe(3);
    expect(buffer.toString()).toBe('the.................');
    close(link);
  });

  test('gives a negative errno', ({ directory }) => {
    const buffer = Buffer.alloc(8);
    writeFileSync(join(directory.path, 'file'), '');
    expect(readlinkat(directory.fd, ...name('file'), buffer, 0, 8)).toBe(-Errno.EINVAL);
    expect(readlinkat(directory.fd, ...name('none'), buffer, 0, 8)).toBe(-Errno.ENOENT);
    for (const [start, length] of outside) {
      expect(readlinkat(directory.fd, ...name('none'), buffer, start, length)).toBe(-Errno.EFAULT);
    }
  });
});

test('mkdirat makes a directory, unlinkat with AT_REMOVEDIR takes it away', ({ directory }) => {
  const { fd, path } = directory;
  const before = umask(0o022);
  expect(mkdirat(fd, ...name('dir'), 0o1777)).toBe(0);
  umask(before);
  expect(statSync(join(path, 'dir')).mode & 0o7777).toBe(0o1755);
  expect(mkdirat(fd, ...name('dir'), 0o777)).toBe(-Errno.EEXIST);
  expect(unlinkat(fd, ...name('dir'), 0)).toBe(-Errno.EISDIR);
  writeFileSync(join(path, 'dir/file'), '');
  expect(unlinkat(fd, ...name('dir'), AT_REMOVEDIR)).toBe(-Errno.ENOTEMPTY);
  expect(unlinkat(fd, ...name('dir/file'), 0)).toBe(0);
  expect(unlinkat(fd, ...name('dir'), AT_REMOVEDIR)).toBe(0);
  expect(unlinkat(fd, ...name('dir'), AT_REMOVEDIR)).toBe(-Errno.ENOENT);
});

describe('mknodat', () => {
  test('makes FIFOs and sockets', ({ directory }) => {
    for (const [each, type] of [
      ['fifo', S_IFIFO],
      ['socket', S_IFSOCK],
    ] as const) {
      expect(mknodat(directory.fd, ...name(each), type | 0o600, 0, 0)).toBe(0);
      expect(lstatSync(join(directory.path, each)).mode).toBe(type | 0o600);
    }
    expect(mknodat(directory.fd, ...name('fifo'), S_IFIFO, 0, 0)).toBe(-Errno.EEXIST);
    expect(mknodat(directory.fd, ...name('x'), S_IFMT, 0, 0)).toBe(-Errno.EINVAL);
  });

  test('makes devices for those who may', ({ directory }) => {
    const result = mknodat(directory.fd, ...name('device'), S_IFCHR | 0o600, 0x123, 0x45678);
    const capabilities = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    const mayMakeDevices = (BigInt(`0x${capabilities}`) & (1n << 27n)) !== 0n;
    expect(errnoCode(result)).toBe(mayMakeDevices ? errnoCode(0) : 'EPERM');
    const device = lstatSync(join(directory.path, 'device'), { bigint: true, throwIfNoEntry: false });
    // makedev(3): 12 low bits of major at 8, 8 low bits of minor at 0, the rest of minor at 20
    expect(device?.rdev).toBe(mayMakeDevices ? (0x456n << 20n) | (0x123n << 8n) | 0x78n : undefined);
  });
});

test('symlinkat stores any target up to 4095 bytes', ({ directory }) => {
  const target = 'x/'.repeat(2047);
  expect(symlinkat(...name(target), directory.fd, ...name('link'))).toBe(0);
  expect(readlinkSync(join(directory.path, 'link'))).toBe(target);
  expect(symlinkat(...name(target), directory.fd, ...name('link'))).toBe(-Errno.EEXIST);
  expect(symlinkat(...name(''), directory.fd, ...name('empty'))).toBe(-Errno.ENOENT);
});

test('linkat links the link, or with AT_SYMLINK_FOLLOW what it points to', ({ directory }) => {
  const { fd, path } = directory;
  writeFileSync(join(path, 'file'), '');
  symlinkSync('file', join(path, 'link'));
  expect(linkat(fd, ...name('link'), fd, ...name('a'), 0)).toBe(0);
  expect(linkat(fd, ...name('link'), fd, ...name('b'), AT_SYMLINK_FOLLOW)).toBe(0);
  expect(lstatSync(join(path, 'a')).isSymbolicLink()).toBe(true);
  expect(lstatSync(join(path, 'b')).ino).toBe(lstatSync(join(path, 'file')).ino);
  expect(linkat(fd, ...name('file'), fd, ...name('a'), 0)).toBe(-Errno.EEXIST);
  expect(linkat(fd, ...name('none'), fd, ...name('c'), 0)).toBe(-Errno.ENOENT);
});

test('renameat2 replaces, exchanges, or refuses to replace', ({ directory }) => {
  const { fd, path } = directory;
  mkdirSync(join(path, 'sub'));
  const sub = openat(fd, ...name('sub'), O_PATH | O_DIRECTORY, 0);
  writeFileSync(join(path, 'a'), 'A');
  writeFileSync(join(path, 'sub/b'), 'B');
  const contents = () => [readFileSync(join(path, 'a'), 'utf8'), readFileSync(join(path, 'sub/b'), 'utf8')];
  expect(renameat2(fd, ...name('a'), sub, ...name('b'), constants.RENAME_NOREPLACE)).toBe(-Errno.EEXIST);
  expect(contents()).toEqual(['A', 'B']);
  expect(renameat2(fd, ...name('a'), sub, ...name('b'), constants.RENAME_EXCHANGE)).toBe(0);
  expect(contents()).toEqual(['B', 'A']);
  expect(renameat2(fd, ...name('a'), sub, ...name('b'), 0)).toBe(0);
  expect(existsSync(join(path, 'a'))).toBe(false);
  expect(readdirSync(join(path, 'sub'))).toEqual(['b']);
  expect(renameat2(fd, ...name('a'), sub, ...name('b'), 0)).toBe(-Errno.ENOENT);
  expect(renameat2(fd, ...name('sub'), sub, ...name('c'), 0)).toBe(-Errno.EINVAL);
  close(sub);
});

test('fchownat leaves what is -1 or 0xffffffff', ({ directory }) => {
  const { fd, path } = directory;
  const file = join(path, 'file');
  writeFileSync(file, '');
  symlinkSync('none', join(path, 'link'));
  const { uid, gid } = statSync(file);
  expect(fchownat(fd, ...name('file'), -1, 0xffff_ffff, 0)).toBe(0);
  expect(statSync(file)).toMatchObject({ uid, gid });
  const other = uid === 0 ? 0xffff_fffe : uid;
  expect(fchownat(fd, ...name('file'), other, -1, 0)).toBe(0);
  expect(statSync(file)).toMatchObject({ uid: other, gid });
  expect(fchownat(fd, ...name('link'), uid, gid, AT_SYMLINK_NOFOLLOW)).toBe(0);
  expect(fchownat(fd, ...name('link'), uid, gid, 0)).toBe(-Errno.ENOENT);
  expect(fchownat(fd, ...name(''), -1, -1, AT_EMPTY_PATH)).toBe(0);
});

describe('utimensat', () => {
  test('sets times to the nanosecond, before 1970, too', ({ directory }) => {
    const file = join(directory.path, 'file');
    writeFileSync(file, '');
    expect(utimensat(directory.fd, ...name('file'), -3, 999_999_999, 4_000_000_000, 1, 0)).toBe(0);
    const { atimeNs, mtimeNs } = statSync(file, { bigint: true });
    expect([atimeNs, mtimeNs]).toEqual([-2_000_000_001n, 4_000_000_000_000_000_001n]);
  });

  test('leaves or takes the present time', ({ directory }) => {
    const file = join(directory.path, 'file');
    writeFileSync(file, '');
    utimensat(directory.fd, ...name('file'), 1, 2, 3, 4, 0);
    expect(utimensat(directory.fd, ...name('file'), 0, UTIME_OMIT, 0, UTIME_NOW, 0)).toBe(0);
    const { atimeNs, mtimeNs } = statSync(file, { bigint: true });
    expect(atimeNs).toBe(1_000_000_002n);
    expect(mtimeNs).toBeGreaterThan(1_600_000_000_000_000_000n);
  });

  test('gives a negative errno', ({ directory }) => {
    expect(utimensat(directory.fd, ...name('none'), 0, 0, 0, 0, 0)).toBe(-Errno.ENOENT);
    expect(utimensat(directory.fd, ...name('.'), 0, 1_000_000_000, 0, 0, 0)).toBe(-Errno.EINVAL);
  });
});
