import {
  type BigIntStats,
  fstatSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statfsSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { name, refused, test } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import { close, open } from './descriptor.ts';
import { utimensat } from './directory.ts';
import { Errno, errnoCode } from './errno.ts';
import { fstat, fstatat, fstatfs, STAT_WORDS, STATFS_WORDS, Stat, StatFs, statx } from './stat.ts';

const { AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, STATX_BASIC_STATS, STATX_BTIME, O_RDONLY, O_PATH } =
  constants;
const NANOSECONDS = 1_000_000_000n;

function u64(words: Uint32Array, index: number): bigint {
  return (BigInt(words[index + 1] as number) << 32n) | BigInt(words[index] as number);
}

/** What Node says, as our fields; what it does not tell (birth time, mask) is left out. */
function fields(stats: BigIntStats) {
  const { dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks, atimeNs, mtimeNs, ctimeNs } = stats;
  const times = { atime: atimeNs, mtime: mtimeNs, ctime: ctimeNs };
  const split = Object.entries(times).flatMap(([key, ns]) => [
    [`${key}Sec`, BigInt.asUintN(64, floor(ns))],
    [`${key}Nsec`, ns - floor(ns) * NANOSECONDS],
  ]);
  return { dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks, ...Object.fromEntries(split) };
}

function floor(ns: bigint): bigint {
  return ns < 0n && ns % NANOSECONDS !== 0n ? ns / NANOSECONDS - 1n : ns / NANOSECONDS;
}

function decoded(words: Uint32Array) {
  const { btimeSec, btimeNsec, mask, mount, ...shared } = Stat;
  return Object.fromEntries(Object.entries(shared).map(([key, index]) => [key, u64(words, index)]));
}

describe('fstat, fstatat and statx', () => {
  const words = new Uint32Array(STAT_WORDS);
  const paths = ['/dev/null', '/dev/zero', '/proc/self/exe', '/', '/usr', '/etc/passwd', '/proc/self/mem'];

  test.each(paths)('say of %s what Node says', (path) => {
    const expected = fields(lstatSync(path, { bigint: true }));
    for (const call of [fstatat, statx]) {
      words.fill(0xdead_beef);
      expect(call(AT_FDCWD, ...name(path), AT_SYMLINK_NOFOLLOW, words)).toBe(0);
      expect(decoded(words)).toEqual(expected);
    }
  });

  test('say of a descriptor what Node says, O_PATH or not', ({ directory }) => {
    for (const fd of [directory.fd, open('/dev/null', O_RDONLY), open('/etc', O_PATH)]) {
      expect(fstat(fd, words)).toBe(0);
      expect(decoded(words)).toEqual(fields(fstatSync(fd, { bigint: true })));
      expect(fstatat(fd, ...name(''), AT_EMPTY_PATH, words)).toBe(0);
      expect(decoded(words)).toEqual(fields(fstatSync(fd, { bigint: true })));
      if (fd !== directory.fd) close(fd);
    }
  });

  test('hold every field in 64 bits: sizes and times of any file', ({ directory }) => {
    const path = join(directory.path, 'file');
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.nat(2 ** 31), (atime, mtime) => {
        writeFileSync(path, 'x'.repeat(mtime % 5000));
        utimesSync(path, atime, mtime + 0.123456);
        expect(fstatat(directory.fd, ...name('file'), 0, words)).toBe(0);
        expect(decoded(words)).toEqual(fields(lstatSync(path, { bigint: true })));
      }),
      { numRuns: 50 },
    );
    expect(utimensat(directory.fd, ...name('file'), -2, 500_000_000, -2_000_000_000, 0, 0)).toBe(0);
    expect(statx(directory.fd, ...name('file'), 0, words)).toBe(0);
    expect(BigInt.asIntN(64, u64(words, Stat.atimeSec))).toBe(-2n);
    expect(u64(words, Stat.atimeNsec)).toBe(500_000_000n);
  });

  test('follow a symbolic link unless told not to', ({ directory }) => {
    mkdirSync(join(directory.path, 'target'));
    symlinkSync('target', join(directory.path, 'link'));
    for (const call of [fstatat, statx]) {
      call(directory.fd, ...name('link'), 0, words);
      expect(u64(words, Stat.mode) & BigInt(constants.S_IFMT)).toBe(BigInt(constants.S_IFDIR));
      call(directory.fd, ...name('link'), AT_SYMLINK_NOFOLLOW, words);
      expect(u64(words, Stat.mode) & BigInt(constants.S_IFMT)).toBe(BigInt(constants.S_IFLNK));
    }
  });

  test('statx tells the birth time and what the filesystem knows', ({ directory }) => {
    expect(statx(directory.fd, ...name(''), AT_EMPTY_PATH, words)).toBe(0);
    const mask = Number(u64(words, Stat.mask));
    expect(mask & STATX_BASIC_STATS).toBe(STATX_BASIC_STATS);
    const birth = u64(words, Stat.btimeSec) * NANOSECONDS + u64(words, Stat.btimeNsec);
    const known = (mask & STATX_BTIME) !== 0;
    expect(birth).toBe(known ? fstatSync(directory.fd, { bigint: true }).birthtimeNs : 0n);
  });

  test('fill an array of bytes likewise', ({ directory }) => {
    const bytes = new Uint8Array(words.buffer);
    writeFileSync(join(directory.path, 'file'), 'content');
    const expected = fields(lstatSync(join(directory.path, 'file'), { bigint: true }));
    const fd = open(join(directory.path, 'file'), O_PATH);
    for (const call of [
      () => fstat(fd, bytes),
      () => fstatat(directory.fd, ...name('file'), 0, bytes),
      () => statx(directory.fd, ...name('file'), 0, bytes),
    ]) {
      words.fill(0xdead_beef);
      expect(call()).toBe(0);
      expect(decoded(words)).toEqual(expected);
    }
    close(fd);
  });

  test('statx tells mounts apart', ({ directory }) => {
    const mountOf = (path: string) => {
      expect(statx(AT_FDCWD, ...name(path), 0, words)).toBe(0);
      expect(Number(u64(words, Stat.mask)) & constants.STATX_MNT_ID).toBe(constants.STATX_MNT_ID);
      return u64(words, Stat.mount);
    };
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    const proc = mounts.split('\n').findLast((line) => line.split(' ')[4] === '/proc');
    expect(String(mountOf('/proc'))).toBe(proc?.split(' ')[0]);
    expect(mountOf('/proc/sys')).not.toBe(mountOf(directory.path));
  });

  test('give a negative errno', ({ directory }) => {
    expect(fstat(-1, words)).toBe(-Errno.EBADF);
    for (const call of [fstatat, statx]) {
      expect(call(directory.fd, ...name('none'), 0, words)).toBe(-Errno.ENOENT);
      expect(call(directory.fd, ...name('none'), 1 << 30, words)).toBe(-Errno.EINVAL);
    }
  });

  test('refuse an array that is too short', ({ directory }) => {
    for (const short of [new Uint32Array(STAT_WORDS - 1), new Uint32Array(0)]) {
      expect(fstat(directory.fd, short)).toBe(-Errno.EFAULT);
      expect(fstatat(directory.fd, ...name(''), AT_EMPTY_PATH, short)).toBe(-Errno.EFAULT);
      expect(statx(directory.fd, ...name(''), AT_EMPTY_PATH, short)).toBe(-Errno.EFAULT);
    }
    const asBytes = new Uint8Array(STAT_WORDS) as unknown as Uint32Array;
    expect(fstat(directory.fd, asBytes)).toBe(-Errno.EFAULT);
    expect(fstat(directory.fd, new Uint8Array(4 * STAT_WORDS - 1))).toBe(-Errno.EFAULT);
  });

  test.for(refused)('refuse the name %#', ([bytes, start, length, code], { directory }) => {
    expect(errnoCode(fstatat(directory.fd, bytes, start, length, 0, words))).toBe(code);
    expect(errnoCode(statx(directory.fd, bytes, start, length, 0, words))).toBe(code);
  });
});

describe('fstatfs', () => {
  const words = new Uint32Array(STATFS_WORDS);

  test.each(['/proc', '/', '/dev'])('says of %s what Node says', (path) => {
    const fd = open(path, O_PATH);
    expect(fstatfs(fd, words)).toBe(0);
    close(fd);
    const { type, bsize, blocks, files } = statfsSync(path, { bigint: true });
    expect({
      type: u64(words, StatFs.type),
      bsize: u64(words, StatFs.bsize),
      blocks: u64(words, StatFs.blocks),
      files: u64(words, StatFs.files),
    }).toEqual({ type, bsize, blocks, files });
    expect(u64(words, StatFs.bavail)).toBeLessThanOrEqual(u64(words, StatFs.bfree));
    expect(u64(words, StatFs.ffree)).toBeLessThanOrEqual(files);
    expect(u64(words, StatFs.namelen)).toBe(255n);
    expect(u64(words, StatFs.frsize)).toBe(bsize);
  });

  test('gives a negative errno', ({ directory }) => {
    expect(fstatfs(-1, words)).toBe(-Errno.EBADF);
    expect(fstatfs(directory.fd, new Uint32Array(STATFS_WORDS - 1))).toBe(-Errno.EFAULT);
  });
});
