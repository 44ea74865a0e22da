import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { constants } from '@vm-tools/linux';
import type { Place } from '../place.ts';

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** What statfs says of the file system: what can be the same is. */
export function fileSystem(place: Place): void {
  writeFileSync('f', 'x');
  for (const path of ['.', 'f', 'absent', 'f/x']) {
    place.attempt(`statfs(${path})`, () => {
      const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path);
      const isSane = blocks > 0 && bfree <= blocks && bavail <= bfree && files > 0 && ffree <= files;
      return { bsize, isSane };
    });
  }
  const free = statfsSync('.').bfree;
  writeFileSync('big', Buffer.alloc(8 << 20, 1));
  const less = free - statfsSync('.').bfree;
  place.record('8 MiB are taken from what is free', less * statfsSync('.').bsize >= 8 << 20);
}

/** The same directory by another way: what one client does the other sees, also through what it has open. */
export function twoWays(place: Place): void {
  const other = (name: string) => `${place.second}/two-ways/${name}`;
  const text = (path: string) => path.replace(`${place.second}/two-ways`, 'SECOND');
  const look = (name: string) => {
    const from = place.records.length;
    place.look(other(name));
    place.records.splice(
      from,
      1,
      ...place.records.slice(from).map((record) => ({ ...record, call: `look(${text(other(name))})` })),
    );
  };
  const silently = (path: string, flags: number) => {
    const fd = place.openSilently(path, flags);
    place.record(`open(${text(path)})`, fd < 0 ? fd : 'a descriptor');
    return fd;
  };
  const a = place.open('f', O_RDWR | O_CREAT | O_EXCL);
  place.write(a, 'first');
  look('f');
  const b = silently(other('f'), O_RDWR);
  place.pread(b, 10, 0);
  place.pwrite(b, 'SECOND', 3);
  place.pread(a, 20, 0);
  place.fstat(a);
  place.ftruncate(b, 4);
  place.fstat(a);
  place.pread(a, 20, 0);
  place.chmod('f', 0o600);
  place.chown('f', 12, 13);
  place.fstat(b);
  place.rename('f', 'g');
  place.fstat(b);
  place.pwrite(b, 'through', 0);
  place.look('g');
  look('f');
  look('g');
  place.unlink('g');
  look('g');
  place.pread(b, 20, 0);
  place.fstat(b);
  place.mkdir('d');
  look('d');
  mkdirSync(other('d/e'));
  place.look('d');
  place.rmdir('d');
  place.rmdir('d/e');
  look('d');
  place.rmdir('d');
  look('d');
  place.close(silently(other('d'), O_WRONLY | O_CREAT));
  place.look('d');
  place.note('appending in turn');
  const [c, d] = [
    place.open('log', O_WRONLY | O_CREAT | constants.O_APPEND),
    silently(other('log'), O_WRONLY | constants.O_APPEND),
  ];
  for (let count = 0; count < 5; count++) {
    place.write(c, `a${count} `);
    place.write(d, `b${count} `);
  }
  place.look('log');
  const r = silently(other('log'), O_RDONLY);
  place.read(r, 100);
  place.write(c, 'more');
  place.read(r, 100);
}
