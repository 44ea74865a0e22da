import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { RotatingFile, type RotatingFileOptions } from './rotating-file.ts';

const PATIENT = { timeout: 90_000, interval: 5 };
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-rotating-'));
  path = join(folder, 'vm.log');
  return () => rmSync(folder, { recursive: true });
});

const names = () => readdirSync(folder).sort();
const text = (name: string) => readFileSync(join(folder, name), 'utf8');
const opened = (options?: RotatingFileOptions) => new RotatingFile(path, options);

test('what is appended stands behind what was there', async () => {
  writeFileSync(path, 'before\n');
  await using file = opened();
  expect(file.size).toBe(7);
  expect(file.ino).toBe(statSync(path).ino);
  file.append(Buffer.from('..one\n..'), 2, 6);
  file.append(Buffer.from('two\n'));
  expect(text('vm.log')).toBe('before\none\ntwo\n');
  expect(file.size).toBe(15);
  file.truncate(7);
  file.append(Buffer.from('three\n'));
  expect(text('vm.log')).toBe('before\nthree\n');
});

test('a new file has the mode that was asked for', async () => {
  await using _file = opened();
  await using _other = new RotatingFile(join(folder, 'other.log'), { mode: 0o600 });
  expect(statSync(path).mode & 0o777).toBe(0o640 & ~process.umask());
  expect(statSync(join(folder, 'other.log')).mode & 0o777).toBe(0o600);
});

describe('what is no file of its own is refused:', () => {
  test('a symbolic link', () => {
    symlinkSync('elsewhere', path);
    expect(() => opened()).toThrow(/^ELOOP: .*vm\.log'$/);
    expect(names()).toEqual(['vm.log']);
  });

  test('a FIFO, without waiting for a reader', () => {
    execFileSync('mkfifo', [path]);
    expect(() => opened()).toThrow(/^ENXIO: .*vm\.log'$/);
    // With a reader, which this is to itself, it can be opened.
    const reader = openSync(path, 'r+');
    expect(() => opened()).toThrow(/^EINVAL: .*vm\.log'$/);
    closeSync(reader);
  });

  test('a directory, and what stands in none', () => {
    mkdirSync(path);
    expect(() => opened()).toThrow(/^EISDIR: .*vm\.log'$/);
    expect(() => new RotatingFile(join(folder, 'none/vm.log'))).toThrow(/^ENOENT: /);
  });
});

describe('by size', () => {
  test('each file keeps its size, and as many are kept as shall be', async () => {
    await using file = opened({ maxBytes: 8, kept: 3 });
    for (const word of ['a', 'b', 'c', 'd', 'e', 'f']) file.append(Buffer.from(word.repeat(5)));
    expect(names()).toEqual(['vm.log', 'vm.log.1', 'vm.log.2', 'vm.log.3']);
    expect(names().map(text)).toEqual(['fffff', 'eeeee', 'ddddd', 'ccccc']);
    file.append(Buffer.from('ggg'));
    expect(text('vm.log')).toBe('fffffggg');
  });

  test('what is larger than a file has one of its own, and an empty one does not count', async () => {
    await using file = opened({ maxBytes: 8 });
    file.append(Buffer.from('longer than that'));
    file.append(Buffer.from('short'));
    expect(names().map(text)).toEqual(['short', 'longer than that']);
  });

  test('with none kept the old one goes', async () => {
    await using file = opened({ maxBytes: 8, kept: 0 });
    for (const word of ['aaaaa', 'bbbbb', 'ccccc']) file.append(Buffer.from(word));
    expect(names().map(text)).toEqual(['ccccc']);
  });

  test('other files of the directory are left alone', async () => {
    const others = ['other.log', 'vm.log.', 'vm.log.0', 'vm.log.01', 'vm.log.1.bz2', 'vm.logs', 'xvm.log.1'];
    for (const name of others) writeFileSync(join(folder, name), name);
    await using file = opened({ maxBytes: 1, kept: 1 });
    for (const word of ['aaaaa', 'bbbbb', 'ccccc']) file.append(Buffer.from(word));
    expect(names()).toEqual([...others, 'vm.log', 'vm.log.1'].sort());
    for (const name of others) expect(text(name)).toBe(name);
  });

  test('old files move up past a gap, and those that are beyond go', async () => {
    for (const index of [2, 5, 7]) writeFileSync(`${path}.${index}`, `${index}`);
    await using file = opened();
    file.append(Buffer.from('now'));
    file.rotate();
    expect(names().map((name) => [name, text(name)])).toEqual([
      ['vm.log', ''],
      ['vm.log.1', 'now'],
      ['vm.log.3', '2'],
    ]);
  });
});

describe('by day', () => {
  const at = (day: number, hour: number) => new Date(2026, 10, day, hour).getTime();

  test('the first that is written on a new day rotates, once', async () => {
    let now = at(23, 23);
    await using file = opened({ now: () => now });
    file.append(Buffer.from('Monday\n'));
    now = at(24, 0);
    file.append(Buffer.from('Tuesday, '));
    now = at(24, 23);
    file.append(Buffer.from('and later\n'));
    expect(names().map(text)).toEqual(['Tuesday, and later\n', 'Monday\n']);
    now = at(29, 12);
    file.append(Buffer.from('Sunday\n'));
    expect(names().map(text)).toEqual(['Sunday\n', 'Tuesday, and later\n', 'Monday\n']);
  });

  test('an empty file stays, however old', async () => {
    let now = at(23, 23);
    await using file = opened({ now: () => now });
    now = at(25, 1);
    file.append(Buffer.from('a'));
    file.append(Buffer.from('b'));
    expect(names().map(text)).toEqual(['ab']);
  });

  test('a file that an earlier process wrote is of the day of its last change', async () => {
    writeFileSync(path, 'yesterday');
    utimesSync(path, at(22, 12) / 1000, at(22, 12) / 1000);
    await using file = opened({ now: () => at(23, 1) });
    file.append(Buffer.from('today'));
    expect(names().map(text)).toEqual(['today', 'yesterday']);
  });

  test('nothing, where that is not wished', async () => {
    let now = at(23, 23);
    await using file = opened({ daily: false, now: () => now });
    file.append(Buffer.from('a'));
    now = at(25, 1);
    file.append(Buffer.from('b'));
    expect(names().map(text)).toEqual(['ab']);
  });
});

test('before a file becomes another one its owner is told', async () => {
  const seen: [ino: number, size: number][] = [];
  const file: RotatingFile = opened({ maxBytes: 4, onBeforeRotate: () => seen.push([file.ino, file.size]) });
  const first = file.ino;
  file.append(Buffer.from('one'));
  file.rotateIfDue(1);
  expect(seen).toEqual([]);
  file.rotateIfDue(2);
  expect(seen).toEqual([[first, 3]]);
  expect(file.ino).not.toBe(first);
  renameSync(path, join(folder, 'away'));
  file.reopen();
  expect(seen).toHaveLength(2);
  await file.close();
});

describe('opened anew', () => {
  test('it writes to what has the name then', async () => {
    await using file = opened();
    file.append(Buffer.from('old'));
    renameSync(path, join(folder, 'moved'));
    file.append(Buffer.from('er'));
    file.reopen();
    file.append(Buffer.from('new'));
    expect(text('moved')).toBe('older');
    expect(text('vm.log')).toBe('new');
  });

  test('in the directory that has its name then', async () => {
    const inner = join(folder, 'logs');
    mkdirSync(inner);
    await using file = new RotatingFile(join(inner, 'vm.log'));
    renameSync(inner, join(folder, 'moved'));
    file.append(Buffer.from('old'));
    mkdirSync(inner);
    file.reopen();
    file.append(Buffer.from('new'));
    expect([text('moved/vm.log'), text('logs/vm.log')]).toEqual(['old', 'new']);
  });

  test('and when it cannot be, the next append tries again', async () => {
    await using file = opened();
    renameSync(path, join(folder, 'moved'));
    symlinkSync('elsewhere', path);
    expect(() => file.reopen()).toThrow('ELOOP');
    expect(() => file.append(Buffer.from('a'))).toThrow('ELOOP');
    rmSync(path);
    file.append(Buffer.from('b'));
    expect(text('vm.log')).toBe('b');
  });
});

describe('compressed', () => {
  const lines = (word: string) => `${word}\n`.repeat(2000);
  const unzipped = (name: string) => gunzipSync(readFileSync(join(folder, name))).toString();

  test('old files are, with the mode that they had', async () => {
    await using file = opened({ gzip: true, kept: 2, mode: 0o600 });
    for (const word of ['one', 'two', 'three', 'four']) {
      file.append(Buffer.from(lines(word)));
      file.rotate();
    }
    await vi.waitUntil(() => names().join() === 'vm.log,vm.log.1.gz,vm.log.2.gz', PATIENT);
    expect([1, 2].map((index) => unzipped(`vm.log.${index}.gz`))).toEqual(['four', 'three'].map(lines));
    expect(statSync(`${path}.1.gz`).mode & 0o777).toBe(0o600);
  });

  test('so is what an earlier process left, and what is half of one is removed', async () => {
    writeFileSync(`${path}.1`, lines('left'));
    writeFileSync(`${path}.gz.tmp`, 'half');
    await using file = opened({ gzip: true });
    expect(names()).toEqual(['vm.log', 'vm.log.1']);
    file.append(Buffer.from('now'));
    file.rotate();
    await vi.waitUntil(() => names().join() === 'vm.log,vm.log.1.gz,vm.log.2.gz', PATIENT);
    expect(unzipped('vm.log.2.gz')).toBe(lines('left'));
  });

  test('what cannot be is told, and stays as it was', async () => {
    const onError = vi.fn();
    mkdirSync(`${path}.1`);
    await using file = opened({ gzip: true, onError });
    file.append(Buffer.from('now'));
    file.rotate();
    await vi.waitUntil(() => onError.mock.calls.length === 1, PATIENT);
    expect(onError.mock.calls[0]?.[0]).toMatchObject({ code: 'EISDIR' });
    expect(names()).toEqual(['vm.log', 'vm.log.1', 'vm.log.2']);
  });

  test('closing leaves no half of one', async () => {
    const file = opened({ gzip: true });
    file.append(Buffer.alloc(4 << 20, 'text that takes a while to be compressed\n'));
    file.rotate();
    await file.close();
    expect(names()).toEqual(['vm.log', 'vm.log.1']);
  });
});

describe('forced to the disk', () => {
  test.each([['always'], [{ everyMs: 1 }]] as const)('with %j', async (sync) => {
    const onError = vi.fn();
    await using file = opened({ sync, maxBytes: 4000, onError });
    // Files are rotated and closed under the thread that forces them.
    for (let each = 0; each < 200; each++) {
      file.append(Buffer.alloc(100, 'line\n'));
      await new Promise(setImmediate);
    }
    expect(names()).toHaveLength(5);
    expect(onError).not.toHaveBeenCalled();
  });
});

test('a disk that is full leaves no half of what was appended, and later there may be room', () => {
  // Node.js ignores SIGXFSZ: a write beyond the limit is short, and the next one fails with EFBIG, as one to a full disk would with ENOSPC.
  const program = `
    import { execFileSync } from 'node:child_process';
    import { RotatingFile } from './src/rotating-file.ts';
    const file = new RotatingFile(process.argv[1], { daily: false });
    file.append(Buffer.alloc(900, 'a'));
    try { file.append(Buffer.alloc(900, 'b')); } catch ({ code }) { console.log(code, file.size); }
    execFileSync('prlimit', ['--pid', process.pid, '--fsize=unlimited']);
    file.append(Buffer.alloc(900, 'c'));
    await file.close();`;
  const node = [process.execPath, ...process.execArgv, '--conditions=@vm-tools/source'];
  const { stdout, stderr } = spawnSync(
    'prlimit',
    ['--fsize=1000:unlimited', ...node, '--input-type=module', '-e', program, path],
    { cwd: new URL('..', import.meta.url), encoding: 'utf8' },
  );
  expect({ stdout, stderr }).toEqual({ stdout: 'EFBIG 900\n', stderr: '' });
  expect(text('vm.log')).toBe('a'.repeat(900) + 'c'.repeat(900));
});
