import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { constants } from '@vm-tools/linux';
import { OtherProcess } from '../other-process.ts';
import type { Place } from '../place.ts';

const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, SEEK_DATA, SEEK_HOLE } = constants;
// fallocate(2), from linux/falloc.h
const [KEEP_SIZE, PUNCH_HOLE, COLLAPSE, ZERO, INSERT] = [1, 2, 8, 16, 32];
// mmap(2), msync(2)
const [PROT_READ, PROT_WRITE, MAP_SHARED, MAP_PRIVATE, MS_SYNC] = [1, 2, 1, 2, 4];

/** Space and copies within the kernel. */
export async function space(place: Place): Promise<void> {
  writeFileSync('f', 'abcdefgh'.repeat(2048));
  writeFileSync('allocated', 'abcdefgh'.repeat(2048));
  writeFileSync('other', 'other');
  mkdirSync('d');
  const p = new OtherProcess(place, 'p');
  const f = await p.call('open', 'f', O_RDWR, 0);
  const allocated = await p.call('open', 'allocated', O_RDWR, 0);
  for (const [mode, offset, length] of [
    [0, 0, 100],
    [0, 10_000, 20_000],
    [KEEP_SIZE, 0, 100_000],
    [KEEP_SIZE | PUNCH_HOLE, 0, 4096],
    [PUNCH_HOLE, 0, 4096],
    [ZERO, 0, 4096],
    [COLLAPSE, 0, 4096],
    [INSERT, 0, 4096],
    [0, -1, 10],
    [0, 0, 0],
  ] as const) {
    await p.call('fallocate', allocated, mode, offset, length);
    place.look('allocated');
  }
  const [other, read, append] = [
    await p.call('open', 'other', O_RDWR, 0),
    await p.call('open', 'f', O_RDONLY, 0),
    await p.call('open', 'new', O_RDWR | O_CREAT | O_APPEND, 0o644),
  ];
  const d = await p.call('open', 'd', O_RDONLY, 0);
  for (const [from, at, to, into, length] of [
    [f, 8, other, 0, 8],
    [f, 0, other, 100, 10_000],
    [f, 0, f, 20_000, 1000],
    [f, 0, f, 10, 1000],
    [f, 10 ** 6, other, 0, 10],
    [read, 0, other, 3, 3],
    [other, 0, read, 0, 3],
    [f, 0, append, 0, 3],
    [d, 0, other, 0, 3],
    [other, 0, d, 0, 3],
    [f, -1, other, 0, 3],
  ] as const) {
    await p.call('copy', from, at, to, into, length);
    place.look('other');
  }
  for (const [to, from, at, length] of [
    [other, f, 0, 5000],
    [other, f, 10 ** 6, 5],
    [append, f, 8, 8],
    [read, f, 0, 5],
    [other, d, 0, 5],
    [other, f, -1, 5],
  ] as const) {
    await p.call('sendfile', to, from, at, length);
    place.look('other');
  }
  place.note('holes');
  writeFileSync('sparse', '');
  place.truncate('sparse', 1_000_000);
  const sparse = await p.call('open', 'sparse', O_RDWR, 0);
  for (const at of [0, 5000, 1_000_000, 2_000_000]) {
    await p.call('lseek', sparse, at, SEEK_DATA);
    await p.call('lseek', sparse, at, SEEK_HOLE);
  }
  place.note('flags of open files');
  await p.call('get-flags', f);
  await p.call('get-flags', append);
  await p.call('set-flags', other, O_APPEND);
  await p.call('get-flags', other);
  await p.call('lseek', other, 0, 0);
  await p.call('write', other, 'at-the-end');
  place.look('other');
  await p.call('set-flags', other, O_NONBLOCK);
  await p.call('lseek', other, 0, 0);
  await p.call('write', other, 'at-the-start');
  place.look('other');
  await p.call('sync-range', f, 0, 4096);
  for (const advice of [0, 1, 2, 3, 4, 5, 6]) await p.call('advise', f, advice);
  await p.call('syncfs', f);
  await p.end();
}

/** Mappings, shared and private, beyond the end too. What the cache mode does not allow is refused. */
export async function mappings(place: Place): Promise<void> {
  writeFileSync('f', 'abcdefgh'.repeat(1000));
  const p = new OtherProcess(place, 'p');
  const f = await p.call('open', 'f', O_RDWR, 0);
  const readOnly = await p.call('open', 'f', O_RDONLY, 0);
  const writeOnly = await p.call('open', 'f', O_WRONLY, 0);
  for (const [fd, offset, length, protection, kind] of [
    [f, 0, 8000, PROT_READ, MAP_SHARED],
    [f, 0, 8000, PROT_READ | PROT_WRITE, MAP_SHARED],
    [f, 0, 8000, PROT_READ | PROT_WRITE, MAP_PRIVATE],
    [f, 4096, 4096, PROT_READ, MAP_SHARED],
    [f, 0, 20_000, PROT_READ | PROT_WRITE, MAP_SHARED],
    [readOnly, 0, 100, PROT_READ | PROT_WRITE, MAP_SHARED],
    [readOnly, 0, 100, PROT_READ, MAP_SHARED],
    [readOnly, 0, 100, PROT_READ | PROT_WRITE, MAP_PRIVATE],
    [writeOnly, 0, 100, PROT_READ, MAP_SHARED],
    [f, 100, 100, PROT_READ, MAP_SHARED],
    [f, 0, 0, PROT_READ, MAP_SHARED],
  ] as const) {
    // The first mapping is number 0, and there is only one at a time.
    const map = 0;
    await p.call('mmap', fd, offset, length, protection, kind);
    await p.call('peek', map, 0, 8);
    await p.call('peek', map, 5, 8);
    if ((protection & PROT_WRITE) !== 0) {
      await p.call('poke', map, 3, 'WRITTEN');
      await p.call('peek', map, 0, 16);
      await p.call('msync', map, MS_SYNC);
      place.look('f');
    }
    if (length === 20_000) {
      // To the end of the last page the file reads as zeros, and beyond it there is none.
      await p.call('peek', map, 7990, 20);
      await p.call('peek', map, 8192, 1);
      await p.call('peek', map, 16_384, 1);
      place.truncate('f', 30_000);
      await p.call('peek', map, 16_384, 4);
      await p.call('poke', map, 16_384, 'found');
      await p.call('msync', map, MS_SYNC);
      place.look('f');
      place.truncate('f', 8000);
      await p.call('peek', map, 16_384, 4);
    }
    await p.call('munmap', map);
  }
  await p.call('write', f, 'through-the-descriptor');
  place.look('f');
  await p.end();
}

/** Directories while they change, at positions, and large ones. */
export async function listings(place: Place): Promise<void> {
  const p = new OtherProcess(place, 'p');
  mkdirSync('empty');
  await p.call('opendir', 'empty');
  await p.call('readdir', 2);
  await p.call('readdir', 1);
  writeFileSync('empty/late', '');
  await p.call('rewind');
  // In which order names come is the file system's affair: here as a set.
  const sorted = (text: string) => text.split(' ').sort();
  place.record('after rewinddir', sorted(await p.silently('readdir', 10)));
  await p.call('closedir');
  await p.call('opendir', 'absent');
  mkdirSync('many');
  const count = 3000;
  for (let i = 0; i < count; i++) writeFileSync(`many/entry-${i}`, '');
  place.look('many');
  await p.call('opendir', 'many');
  await p.call('remember-all');
  const whole: string[] = [];
  await p.silently('seek', 0);
  while (!whole.includes('end')) whole.push(...(await p.silently('readdir', 100)).split(' '));
  place.record('all of them, each once', [whole.length, new Set(whole).size]);
  const mismatches: string[] = [];
  for (const position of [2999, 0, 1, 17, 1500, 299, 3001, 2]) {
    await p.silently('seek', position);
    const names = await p.silently('readdir', 3);
    if (
      names !==
      whole
        .slice(position, position + 3)
        .filter((name, i, all) => name !== 'end' || i === all.indexOf('end'))
        .join(' ')
    ) {
      mismatches.push(`${position}: ${names}`);
    }
  }
  place.record('names at positions other than at first', mismatches);
  place.note('entries made and removed while the directory is read');
  await p.silently('seek', 0);
  const seen = (await p.silently('readdir', 1000)).split(' ');
  const unseen = whole.filter((name) => name.startsWith('entry') && !seen.includes(name));
  const removed = [...seen.filter((name) => name.startsWith('entry')).slice(0, 200), ...unseen.slice(0, 200)];
  for (const name of removed) unlinkSync(`many/${name}`);
  for (let i = 0; i < 50; i++) writeFileSync(`many/new-${i}`, '');
  while (!seen.includes('end')) seen.push(...(await p.silently('readdir', 100)).split(' '));
  const still = whole.filter((name) => name.startsWith('entry') && !removed.includes(name));
  place.record(
    'entries that were there all along and were missed',
    still.filter((name) => !seen.includes(name)).length,
  );
  place.record('entries that came twice', seen.length - new Set(seen).size);
  await p.call('closedir');
  place.look('many');
  await p.end();
}
