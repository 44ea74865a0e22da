import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compress } from '../synth/compress.ts';
import { PSTORE_DIRECTORY, readPstoreFs } from './pstore-fs.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-pstore-fs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, content: string | Uint8Array, seconds = 1_700_000_000): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
  utimesSync(join(folder, path), seconds, seconds);
}

const efi = (seconds: number, part: number, count: number) =>
  `dmesg-efi_pstore-${(BigInt(seconds) * 100n + BigInt(part)) * 1000n + BigInt(count)}`;
const told = () =>
  readPstoreFs(folder).dumps.map(({ backend, reason, count, log, missingParts }) => ({
    name: `${backend} ${reason}#${count}`,
    log: Buffer.from(log).toString(),
    missingParts,
  }));

describe('a pstore filesystem', () => {
  it('has the files of its backend, and what is none is left alone', () => {
    put('console-ramoops-0', 'hello\n');
    put('pmsg-ramoops-0', Buffer.from([1, 0xff]));
    put('dmesg-ramoops-3', 'Oops#1 Part1\n<6>oops\n');
    put('notes.txt', 'mine');
    const { files, empty } = readPstoreFs(folder);
    expect(files.map(({ path, type, backend, id, data }) => [path, type, backend, id, data.length])).toEqual([
      ['console-ramoops-0', 'console', 'ramoops', 0n, 6],
      ['dmesg-ramoops-3', 'dmesg', 'ramoops', 3n, 21],
      ['pmsg-ramoops-0', 'pmsg', 'ramoops', 0n, 2],
    ]);
    expect(empty).toBeUndefined();
  });

  it('of EFI: parts are joined, the newest last, though each has a time of its own', () => {
    put(efi(1_700_000_001, 1, 1), 'Panic#1 Part1\nlast\n', 1_700_000_001);
    put(efi(1_700_000_001, 2, 1), 'Panic#1 Part2\nmiddle\n', 1_700_000_001);
    put(efi(1_700_000_002, 3, 1), 'Panic#1 Part3\nfirst\n', 1_700_000_002);
    put(efi(1_600_000_000, 1, 1), 'Panic#1 Part1\nanother boot\n', 1_600_000_000);
    expect(told()).toEqual([
      { name: 'efi_pstore Panic#1', log: 'first\nmiddle\nlast\n', missingParts: [] },
      { name: 'efi_pstore Panic#1', log: 'another boot\n', missingParts: [] },
    ]);
  });

  it('of ERST: ids say nothing, and missing parts are told', () => {
    put('dmesg-erst-7238947238947238947', 'Oops#2 Part4\nfirst\n');
    put('dmesg-erst-7238947238947238950', 'Oops#2 Part1\nlast\n');
    put('dmesg-erst-7238947238947238949', 'Oops#2 Part2\nmiddle\n');
    expect(told()).toEqual([{ name: 'erst Oops#2', log: 'first\nmiddle\nlast\n', missingParts: [3] }]);
  });

  it('of one second: the later dump comes first', () => {
    put('dmesg-erst-7238947238947238947', 'Oops#1 Part1\nearlier\n');
    put('dmesg-erst-7238947238947238948', 'Panic#2 Part1\nlater\n');
    expect(told().map(({ log }) => log)).toEqual(['later\n', 'earlier\n']);
  });

  it('of ramoops: dumps of two boots that have the same number are two', () => {
    put('dmesg-ramoops-0', 'Panic#1 Part1\nnew\n', 1_700_000_001);
    put('dmesg-ramoops-1', 'Panic#1 Part1\nold\n', 1_700_000_000);
    expect(told().map(({ log }) => log)).toEqual(['new\n', 'old\n']);
  });

  it('is read from what systemd has archived', () => {
    put('1700000001/001/dmesg.txt', 'joined by systemd');
    put(`1700000001/001/${efi(1_700_000_001, 1, 1)}`, 'Panic#1 Part1\nlast\n');
    put(`1700000001/001/${efi(1_700_000_001, 2, 1)}`, 'Panic#1 Part2\nfirst\n');
    put('7238947238947238947/dmesg-erst-7238947238947238947', 'Oops#1 Part1\nerst\n', 1_600_000_000);
    expect(told().map(({ log }) => log)).toEqual(['first\nlast\n', 'erst\n']);
    expect(readPstoreFs(folder).files[0]?.path).toMatch(/^1700000001\/001\/dmesg-efi_pstore-\d+$/);
  });

  it('has files that its kernel could not decompress, and we can', () => {
    put('dmesg-ramoops-0.enc.z', compress('lz4', Buffer.from('Panic#1 Part1\nhello\n')));
    put('dmesg-ramoops-1.enc.z', 'no stream');
    const { files } = readPstoreFs(folder);
    expect(files.map(({ data }) => Buffer.from(data).toString())).toEqual([
      'Panic#1 Part1\nhello\n',
      'no stream',
    ]);
  });
});

describe('a directory with nothing in it', () => {
  const sysfs = (mounts: string, backend?: string) => {
    put('proc/self/mounts', mounts);
    if (backend !== undefined) put('sys/module/pstore/parameters/backend', backend);
  };
  const mounted = 'pstore /sys/fs/pstore pstore rw,nosuid 0 0\n';

  it('is not there', () => {
    expect(readPstoreFs(join(folder, 'absent')).empty).toEqual({
      reason: 'no-directory',
      message: `there is no directory ${folder}/absent`,
    });
  });

  it('is a folder like any other', () => {
    expect(readPstoreFs(folder).empty?.reason).toBe('nothing-recorded');
  });

  it.each([
    [
      'not mounted',
      () => sysfs('proc /proc proc rw 0 0\n'),
      'not-mounted',
      'mount -t pstore pstore /sys/fs/pstore',
    ],
    ['without a backend', () => sysfs(mounted, '(null)\n'), 'no-backend', 'the kernel has no backend'],
    [
      'of a backend that has recorded nothing',
      () => sysfs(mounted, 'efi_pstore\n'),
      'nothing-recorded',
      'by efi_pstore',
    ],
    [
      'of a kernel that does not tell its backend',
      () => sysfs(mounted),
      'nothing-recorded',
      'nothing has been recorded',
    ],
  ] as const)('is %s', (_, prepare, reason, message) => {
    prepare();
    mkdirSync(join(folder, PSTORE_DIRECTORY), { recursive: true });
    expect(readPstoreFs(PSTORE_DIRECTORY, { root: folder }).empty).toEqual({
      reason,
      message: expect.stringContaining(message),
    });
  });

  it('must not be read', () => {
    put('secret/dmesg-ramoops-0', 'x');
    chmodSync(join(folder, 'secret'), 0);
    const { empty, unreadable } = asNobody(() => readPstoreFs(join(folder, 'secret')));
    chmodSync(join(folder, 'secret'), 0o700);
    expect(empty?.reason).toBe('no-permission');
    expect(unreadable).toEqual([{ path: join(folder, 'secret'), code: 'EACCES' }]);
  });
});

/** Root may read everything. */
function asNobody<Value>(run: () => Value): Value {
  const uid = process.geteuid?.() ?? 0;
  chmodSync(folder, 0o755);
  if (uid === 0) process.seteuid?.(65534);
  try {
    return run();
  } finally {
    if (uid === 0) process.seteuid?.(0);
  }
}
