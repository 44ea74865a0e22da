import { writeFileSync } from 'node:fs';
import { constants } from '@vm-tools/linux';
import { OtherProcess } from '../other-process.ts';
import type { Place } from '../place.ts';

const { F_RDLCK, F_UNLCK, F_WRLCK, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET } =
  constants;
// flock(2)
const [LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN] = [1, 2, 4, 8];

/** Record locks between descriptors of one process and between processes. */
async function recordLocks(
  place: Place,
  set: 'set' | 'ofd-set',
  get: 'get' | 'ofd-get',
  second?: string,
): Promise<void> {
  writeFileSync('f', 'x'.repeat(100));
  const a = new OtherProcess(place, 'a');
  const b = new OtherProcess(place, 'b', second);
  const [a1, a2] = [await a.call('open', 'f', O_RDWR, 0), await a.call('open', 'f', O_RDWR, 0)];
  const b1 = await b.call('open', 'f', O_RDWR, 0);
  const readOnly = await b.call('open', 'f', O_RDONLY, 0);
  const writeOnly = await b.call('open', 'f', O_WRONLY, 0);
  const query = async () => {
    for (const [process, fd] of [
      [a, a1],
      [a, a2],
      [b, b1],
    ] as const) {
      for (const type of [F_RDLCK, F_WRLCK]) await process.call(get, fd, type, 0, 0);
    }
  };
  await query();
  await a.call(set, a1, F_WRLCK, 0, 10);
  await query();
  await a.call(set, a2, F_WRLCK, 0, 10);
  await b.call(set, b1, F_RDLCK, 5, 1);
  await b.call(set, b1, F_WRLCK, 9, 1);
  await b.call(set, b1, F_WRLCK, 10, 1);
  await b.call(set, b1, F_RDLCK, 0, 0);
  await a.call(set, a1, F_RDLCK, 0, 5);
  await query();
  await b.call(set, b1, F_RDLCK, 0, 5);
  await b.call(set, b1, F_RDLCK, 0, 6);
  await a.call(set, a1, F_WRLCK, 0, 5);
  await a.call(set, a1, F_UNLCK, 2, 6);
  await query();
  await b.call(set, b1, F_WRLCK, 5, 3);
  await a.call(get, a1, F_WRLCK, 0, 0);
  await a.call(set, a1, F_WRLCK, 1000, 0);
  await b.call(get, b1, F_WRLCK, 999, 1);
  await b.call(get, b1, F_WRLCK, 2 ** 40, 1);
  await b.call(set, b1, F_WRLCK, -1, 1);
  await b.call(set, b1, 77, 0, 1);
  await b.call(set, readOnly, F_WRLCK, 500, 1);
  await b.call(set, readOnly, F_RDLCK, 500, 1);
  await b.call(set, writeOnly, F_RDLCK, 600, 1);
  await b.call(set, writeOnly, F_WRLCK, 600, 1);
  place.note('from where offsets count');
  await a.call('lseek', a1, 50, SEEK_SET);
  await a.call(set, a1, F_WRLCK, 2, 3, SEEK_CUR);
  await b.call(get, b1, F_WRLCK, 40, 100);
  await a.call(set, a1, F_WRLCK, -10, 5, SEEK_END);
  await b.call(get, b1, F_WRLCK, 80, 100);
  place.note('closing one of two descriptors');
  await a.call('close', a2);
  await query();
  await a.call(set, a1, F_WRLCK, 0, 2);
  await b.call(set, b1, F_WRLCK, 0, 2);
  place.note('waiting');
  if (set === 'set') await b.call('wait', b1, F_WRLCK, 0, 2);
  place.note('the end of the holder');
  await a.kill();
  await b.call(set, b1, F_WRLCK, 0, 2);
  await b.call(set, b1, F_WRLCK, 0, 0);
  await b.end();
}

export async function posixLocks(place: Place): Promise<void> {
  await recordLocks(place, 'set', 'get');
}

export async function openFileLocks(place: Place): Promise<void> {
  await recordLocks(place, 'ofd-set', 'ofd-get');
}

/** The processes come by two mounts: now the server keeps the locks apart. */
export async function posixLocksOfTwoClients(place: Place): Promise<void> {
  await recordLocks(place, 'set', 'get', `${place.second}/posix-locks-of-two-clients`);
}

export async function wholeFileLocks(place: Place): Promise<void> {
  await flocks(place);
}

export async function wholeFileLocksOfTwoClients(place: Place): Promise<void> {
  await flocks(place, `${place.second}/flock-of-two-clients`);
}

async function flocks(place: Place, second?: string): Promise<void> {
  writeFileSync('f', 'x');
  const a = new OtherProcess(place, 'a');
  const b = new OtherProcess(place, 'b', second);
  const [a1, a2, b1] = [
    await a.call('open', 'f', O_RDWR, 0),
    await a.call('open', 'f', O_RDWR, 0),
    await b.call('open', 'f', O_RDONLY, 0),
  ];
  await a.call('flock', a1, LOCK_SH | LOCK_NB);
  await a.call('flock', a2, LOCK_SH | LOCK_NB);
  await b.call('flock', b1, LOCK_SH | LOCK_NB);
  await b.call('flock', b1, LOCK_EX | LOCK_NB);
  await a.call('flock', a1, LOCK_UN);
  await a.call('flock', a2, LOCK_UN);
  await b.call('flock', b1, LOCK_EX | LOCK_NB);
  await a.call('flock', a1, LOCK_SH | LOCK_NB);
  await b.call('flock', b1, LOCK_UN);
  await a.call('flock', a1, LOCK_EX | LOCK_NB);
  await a.call('flock', a2, LOCK_EX | LOCK_NB);
  const copy = await a.call('dup', a1);
  await a.call('close', a1);
  await b.call('flock', b1, LOCK_SH | LOCK_NB);
  await a.call('close', copy);
  await b.call('flock', b1, LOCK_SH | LOCK_NB);
  await b.call('flock', b1, 77);
  await a.call('open', 'new', O_RDWR | O_CREAT, 0o644);
  await a.end();
  await b.call('flock', b1, LOCK_EX | LOCK_NB);
  await b.end();
}
