import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { bootGuest, type Guest, type MountOptions } from '@vm-tools/guest';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SharedFolder } from './shared-folder.ts';

let guest: Guest;
const folders = {
  plain: new SharedFolder(),
  other: new SharedFolder(),
  small: new SharedFolder(['--msize', '8192']),
  readOnly: new SharedFolder(['--read-only']),
};
const mounted = new Set<string>();

beforeAll(async () => {
  await Promise.all(Object.values(folders).map(({ listening }) => listening));
  const sockets = Object.entries(folders).map(([name, { socket }]) => [name, socket] as const);
  guest = await bootGuest({ p9: Object.fromEntries(sockets) });
});
afterEach(async () => {
  for (const path of mounted) await unmount(path);
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await Promise.all(Object.values(folders).map((folder) => folder.close()));
});

async function mount(name: keyof typeof folders, options: MountOptions = {}, path = `/mnt/${name}`) {
  await guest.mount9p(name, path, options);
  mounted.add(path);
  return path;
}

async function unmount(path: string): Promise<void> {
  await guest.unmount(path);
  mounted.delete(path);
}

/** Type and options of what is mounted there, from /proc/mounts; undefined if nothing is. */
async function mountedAt(path: string): Promise<{ type: string; options: string[] } | undefined> {
  const lines = (await guest.sh('cat /proc/mounts')).split('\n').map((line) => line.split(' '));
  const found = lines.find(([, at]) => at === path);
  return found && { type: found[2] as string, options: (found[3] as string).split(',') };
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('mount', () => {
  it('shows in /proc/mounts with its options, and not any more once unmounted', async () => {
    const path = await mount('plain', { msize: 65_536, access: 'client' });
    const found = await mountedAt(path);
    expect(found?.type).toBe('9p');
    expect(found?.options).toEqual(
      expect.arrayContaining(['rw', 'access=client', 'msize=65536', 'trans=fd']),
    );
    // The kernel's client closes its connection at the end, and 9s sees that as a good one.
    await unmount(path);
    expect(await mountedAt(path)).toBeUndefined();
    await folders.plain.nineS.logged('connection closed');
    expect(folders.plain.log.at(-1)).toContain('reason=closed');
  });

  it('lists what is on the host, by name, kind, mode and size', async () => {
    const { root } = folders.plain;
    mkdirSync(join(root, 'listed'), { mode: 0o751 });
    writeFileSync(join(root, 'listed', 'file'), 'x'.repeat(123), { mode: 0o640 });
    mkdirSync(join(root, 'listed', 'folder'), { mode: 0o700 });
    writeFileSync(join(root, 'listed', '.hidden'), '');
    const path = await mount('plain');
    const listing = await guest.sh(
      `cd ${path}/listed && stat -c '%n %F %a %s' .hidden file && stat -c '%n %F %a' . folder`,
    );
    expect(listing.trim().split('\n')).toEqual([
      '.hidden regular empty file 644 0',
      'file regular file 640 123',
      '. directory 751',
      'folder directory 700',
    ]);
    expect((await guest.sh(`ls -A ${path}/listed`)).trim().split('\n')).toEqual([
      '.hidden',
      'file',
      'folder',
    ]);
  });

  it('shows times of the host to the nanosecond, before 1970 and after 2038 too', async () => {
    const path = await mount('plain');
    const times = [
      '2001-09-09 01:46:40.123456789',
      '1965-03-04 05:06:07.000000001',
      '2100-02-03 04:05:06.999999999',
    ];
    for (const [index, time] of times.entries()) {
      execFileSync('touch', ['-d', `${time} UTC`, join(folders.plain.root, `time-${index}`)]);
    }
    const shown = await guest.sh(
      `cd ${path}; for i in 0 1 2; do stat -c %y time-$i; stat -c %x time-$i; done`,
      { env: { TZ: 'UTC' } },
    );
    expect(shown.trim().split('\n')).toEqual(times.flatMap((time) => [`${time} +0000`, `${time} +0000`]));
  });

  it('reads on each side what the other has written', async () => {
    const path = await mount('plain');
    const fromHost = randomBytes(3_000_001);
    writeFileSync(join(folders.plain.root, 'from-host'), fromHost);
    expect((await guest.readFile(`${path}/from-host`)).equals(fromHost)).toBe(true);
    const fromGuest = randomBytes(3_000_001);
    await guest.writeFile(`${path}/folder/from-guest`, fromGuest, { mode: 0o604 });
    expect(readFileSync(join(folders.plain.root, 'folder', 'from-guest')).equals(fromGuest)).toBe(true);
    expect(statSync(join(folders.plain.root, 'folder', 'from-guest')).mode).toBe(0o100604);
    // In place, each way once more: nothing of the first contents is kept on either side.
    writeFileSync(join(folders.plain.root, 'folder', 'from-guest'), 'changed on the host');
    expect((await guest.readFile(`${path}/folder/from-guest`)).toString()).toBe('changed on the host');
    await guest.sh(`rm ${path}/from-host && mv ${path}/folder ${path}/moved`);
    expect(existsSync(join(folders.plain.root, 'from-host'))).toBe(false);
    expect(existsSync(join(folders.plain.root, 'moved', 'from-guest'))).toBe(true);
  });

  it('that is busy cannot be unmounted, and can be lazily', async () => {
    const path = await mount('plain');
    const holder = await guest.spawn(['/bin/sh', '-c', 'exec 3<hello; echo open; cat'], { cwd: path });
    await vi.waitUntil(() => holder.stdout.read() !== null, { timeout: 90_000 });
    await expect(guest.unmount(path)).rejects.toThrow(/busy/i);
    const closed = folders.plain.nineS.stderr.split('connection closed').length - 1;
    await guest.unmount(path, { lazy: true });
    mounted.delete(path);
    expect(await mountedAt(path)).toBeUndefined();
    holder.kill('SIGKILL');
    await holder.exited;
    await folders.plain.nineS.logged('connection closed', closed + 1);
  });
});

describe('msize', () => {
  it.each([
    // What the client asks for, and what they agree on: the smaller one of theirs.
    { folder: 'plain', asked: 1_048_576, agreed: 1_048_576 },
    { folder: 'plain', asked: 8192, agreed: 8192 },
    { folder: 'plain', asked: 4096, agreed: 4096 },
    { folder: 'small', asked: 1_048_576, agreed: 8192 },
  ] as const)(
    '$asked at the $folder folder becomes $agreed, and files arrive whole',
    async ({ folder, asked, agreed }) => {
      const path = await mount(folder, { msize: asked });
      const options = (await mountedAt(path))?.options;
      expect(options?.filter((option) => option.startsWith('msize='))).toEqual([`msize=${agreed}`]);
      const bytes = randomBytes(1_500_000);
      writeFileSync(join(folders[folder].root, 'big'), bytes);
      expect(await guest.sh(`cp ${path}/big ${path}/copy && sha256sum < ${path}/copy`)).toContain(
        sha256(bytes),
      );
      expect(readFileSync(join(folders[folder].root, 'copy')).equals(bytes)).toBe(true);
    },
  );

  it('of 8 KiB is warned of in the log of 9s, a larger one is not', async () => {
    const { nineS } = folders.other;
    await unmount(await mount('other', { msize: 131_072 }));
    expect(nineS.stderr).not.toMatch(/ warn: /);
    await unmount(await mount('other', { msize: 8192 }));
    await nineS.logged(' warn: ');
    expect(nineS.stderr.match(/ warn: .*/g)).toEqual([expect.stringContaining('8192')]);
    expect(folders.small.nineS.stderr).toMatch(/ warn: --msize 8192 is small/);
  });
});

describe('several mounts at once', () => {
  it('are kept apart, and two of one folder show the same', async () => {
    const [first, second] = [await mount('plain', {}, '/mnt/first'), await mount('plain', {}, '/mnt/second')];
    const other = await mount('other');
    await guest.sh(`echo one > ${first}/shared; echo two > ${other}/shared`);
    expect(await guest.sh(`cat ${second}/shared ${other}/shared`)).toBe('one\ntwo\n');
    expect(readFileSync(join(folders.plain.root, 'shared'), 'utf8')).toBe('one\n');
    expect(readFileSync(join(folders.other.root, 'shared'), 'utf8')).toBe('two\n');
    // All of them busy at the same time.
    const copies = [first, second, other].map((path, index) =>
      guest.sh(
        `cd ${path}; for i in 1 2 3 4 5 6 7 8; do echo ${index}-$i > at-once-${index}-$i; done; cat at-once-${index}-*`,
      ),
    );
    const lines = [1, 2, 3, 4, 5, 6, 7, 8];
    expect(await Promise.all(copies)).toEqual(
      [0, 1, 2].map((index) => lines.map((i) => `${index}-${i}\n`).join('')),
    );
    await unmount(first);
    expect(await guest.sh(`cat ${second}/shared`)).toBe('one\n');
  });
});

describe('a read-only export', () => {
  it('can be read, and answers EROFS to every change', async () => {
    const path = await mount('readOnly');
    expect((await mountedAt(path))?.options).toContain('rw');
    expect(await guest.sh(`cat ${path}/hello`)).toBe('hello, guest\n');
    const before = statSync(join(folders.readOnly.root, 'hello'), { bigint: true });
    const changes = [
      'echo x > new',
      'echo x > hello',
      'echo x >> hello',
      ': > hello',
      'mkdir new',
      'ln -s hello new',
      'ln hello new',
      'mkfifo new',
      'mv hello new',
      'rm -f hello',
      'rmdir .',
      'chmod 600 hello',
      'chown 1:1 hello',
      'touch -d 2001-01-01 hello',
      'truncate -s 3 hello',
    ];
    for (const change of changes) {
      const { status, stderr } = await guest.exec(['/bin/sh', '-c', change], { cwd: path });
      expect({ change, status: status !== 0, stderr }).toEqual({
        change,
        status: true,
        // The guest's kernel itself refuses to remove where one stands.
        stderr: expect.stringContaining(change === 'rmdir .' ? 'Invalid argument' : 'Read-only file system'),
      });
    }
    const { atimeNs: _, ...after } = statSync(join(folders.readOnly.root, 'hello'), { bigint: true });
    expect(before).toMatchObject(after);
    expect(await guest.sh(`ls -A ${path}`)).toBe('hello\n');
  });
});

describe('a device node', () => {
  it('cannot be made without --device-nodes, a FIFO can', async () => {
    const path = await mount('plain');
    for (const node of ['c 1 3', 'b 7 0']) {
      const { status, stderr } = await guest.exec(['sh', '-c', `mknod node ${node}`], { cwd: path });
      expect(status).not.toBe(0);
      expect(stderr).toContain('Operation not permitted');
    }
    await guest.sh(`cd ${path}; mknod fifo p; test -p fifo; ! test -e node`);
    expect(lstatSync(join(folders.plain.root, 'fifo')).isFIFO()).toBe(true);
  });
});

describe('a user without privileges', () => {
  const his = { uid: 1000, gid: 1000 };

  // The client checks modes and owners in all three; they differ in who it says the user is.
  it.each([
    { access: 'client', owner: 1000 },
    { access: 'user', owner: 1000 },
    { access: 'any', owner: 0 },
  ] as const)(
    'mounted with access=$access reads what he may, and what he makes belongs to $owner',
    async ({ access, owner }) => {
      const folder = join(folders.plain.root, access);
      mkdirSync(folder);
      chmodSync(folder, 0o777);
      writeFileSync(join(folder, 'secret'), 'of root', { mode: 0o600 });
      writeFileSync(join(folder, 'public'), 'of all', { mode: 0o644 });
      const path = await mount('plain', { access });
      const options = { ...his, cwd: `${path}/${access}` };
      expect(await guest.run(['cat', 'public'], options)).toBe('of all');
      expect((await guest.exec(['cat', 'secret'], options)).stderr).toContain('Permission denied');
      chownSync(join(folder, 'secret'), 1000, 1000);
      expect(await guest.run(['cat', 'secret'], options)).toBe('of root');
      await guest.run(['sh', '-c', 'echo his > file; mkdir d; ln -s x l; mkfifo p'], options);
      for (const name of ['file', 'd', 'l', 'p']) expect(lstatSync(join(folder, name)).uid, name).toBe(owner);
    },
  );
});

describe('cache mode', () => {
  it.each(['none', 'mmap', 'loose'] as const)('%s mounts, reads and writes', async (cache) => {
    const path = await mount('plain', { cache });
    const options = (await mountedAt(path))?.options ?? [];
    // Linux 6.1 shows the bare name, later ones `cache=` and a number.
    const shown = options.filter((option) => option === cache || option.startsWith('cache='));
    expect(shown).toHaveLength(cache === 'none' ? 0 : 1);
    const bytes = randomBytes(700_001);
    writeFileSync(join(folders.plain.root, `host-${cache}`), bytes);
    expect((await guest.readFile(`${path}/host-${cache}`)).equals(bytes)).toBe(true);
    // Twice: the second time out of the client's cache, if it has one.
    expect((await guest.readFile(`${path}/host-${cache}`)).equals(bytes)).toBe(true);
    await guest.writeFile(`${path}/guest-${cache}`, bytes);
    await guest.sh(`truncate -s 700000 ${path}/guest-${cache}; echo more >> ${path}/guest-${cache}`);
    await unmount(path);
    const expected = Buffer.concat([bytes.subarray(0, 700_000), Buffer.from('more\n')]);
    expect(readFileSync(join(folders.plain.root, `guest-${cache}`)).equals(expected)).toBe(true);
  });
});
