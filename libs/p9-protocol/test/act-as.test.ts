import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { constants, socketpair } from '@vm-tools/linux';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Client } from '../src/client/client.ts';
import type { RemoteNode } from '../src/client/remote-node.ts';
import { askForError, refuses, text, utf8 } from '../src/conformance/check.ts';
import { Errno } from '../src/errno.ts';
import { type HostFile, HostFileSystem } from '../src/host/host-file-system.ts';
import type { HostNode } from '../src/host/host-node.ts';
import type { HostFileSystemOptions } from '../src/host/host-options.ts';
import type { HostUser } from '../src/host/host-users.ts';
import { ThreadPool } from '../src/host/serve-threaded.ts';
import { Name } from '../src/name.ts';
import { OpenFlags } from '../src/wire/flags.ts';
import { scratchDirectory } from './scratch-directory.ts';
import { type ServedClient, serveHostToClient, transports } from './served.ts';

/* System calls of the real kernel, as real users: root is needed, and asserted. */

const [ALICE, BOB, TEAM] = [20_001, 20_002, 30_001];
const users: ReadonlyMap<number, HostUser> = new Map([
  [0, { name: 'root', gid: 0, groups: [] }],
  [ALICE, { name: 'alice', gid: ALICE, groups: [TEAM] }],
  [BOB, { name: 'bob', gid: BOB, groups: [] }],
]);

/** What a walk that may not go on is answered: it says how far it came, and the client what that means. */
const denied = ['EACCES', 'ENOENT'] as const;

let path: string;
const open: ServedClient[] = [];

beforeEach(() => {
  expect(process.geteuid?.(), 'only root can act as others: run the tests as root').toBe(0);
  path = scratchDirectory();
  chmodSync(path, 0o755);
  for (const [name, uid] of [
    ['alice', ALICE],
    ['bob', BOB],
  ] as const) {
    mkdirSync(join(path, name));
    chownSync(join(path, name), uid, uid);
    chmodSync(join(path, name), 0o700);
    writeFileSync(join(path, name, 'own'), name, { mode: 0o600 });
    chownSync(join(path, name, 'own'), uid, uid);
  }
});
afterEach(async () => {
  for (const served of open.splice(0)) await served.end();
});

async function served(
  options: Partial<HostFileSystemOptions> = {},
  transport: (typeof transports)[number] = 'stream',
): Promise<ServedClient> {
  const made = await serveHostToClient(
    transport,
    { root: path, actAs: users, ...options },
    { attach: { nUname: 0 } },
  );
  open.push(made);
  return made;
}

const identityOf = (task: string) => {
  const status = readFileSync(`/proc/${task}/status`, 'latin1');
  const line = (name: string) => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1] ?? '';
  return `${line('Uid')} / ${line('Gid')} / ${line('Groups')}`;
};
/** As whom each thread of this process works with files. */
const identities = () =>
  new Set(readdirSync('/proc/self/task').map((task) => identityOf(`self/task/${task}`)));

describe.each(transports)('users over %s', (transport) => {
  test('may what they may on the host, and leave what they make to themselves', async () => {
    const before = identities();
    const { client } = await served({}, transport);
    const alice = await client.attach({ nUname: ALICE });
    const bob = await client.attach({ nUname: BOB });
    expect(text(await alice.readFile('alice/own'))).toBe('alice');
    expect(text(await bob.readFile('bob/own'))).toBe('bob');
    await refuses(alice.walk('bob/own'), ...denied);
    await refuses(bob.open('alice'), 'EACCES');
    await refuses(alice.mkdir('new'), 'EACCES');
    await refuses(alice.renameat('alice/own', 'own'), 'EACCES');
    await refuses(bob.unlink('alice', { directory: true }), 'EACCES');
    await refuses(bob.setattr('alice', { mode: 0o777 }), 'EPERM');
    await refuses(alice.setattr('alice/own', { uid: BOB }), 'EPERM');
    await alice.writeFile('alice/file', utf8('x'));
    await alice.mkdir('alice/d');
    await alice.symlink('x', 'alice/link');
    await alice.mknod('alice/fifo', { mode: 0o010600 });
    for (const name of ['file', 'd', 'link', 'fifo']) {
      const { uid, gid } = await alice.getattr(['alice', name]);
      expect([name, uid, gid]).toStrictEqual([name, ALICE, ALICE]);
    }
    expect(identities()).toStrictEqual(before);
  });

  test('at once, each request is made as its own user, over thousands of them', async () => {
    const { client, root } = await served({}, transport);
    const trees = {
      alice: await client.attach({ nUname: ALICE }),
      bob: await client.attach({ nUname: BOB }),
    };
    const other = { alice: 'bob', bob: 'alice' } as const;
    const attempts = Array.from({ length: 600 }, async (_, index) => {
      const who = index % 2 === 0 ? 'alice' : 'bob';
      const tree = trees[who];
      await Promise.all([
        refuses(tree.walk([other[who], 'own']), ...denied),
        refuses(tree.create([other[who], `new-${index}`]), 'EACCES'),
        tree.writeFile([who, `new-${index}`], utf8(who)),
      ]);
    });
    await Promise.all(attempts);
    for (const who of ['alice', 'bob'] as const) {
      const names = readdirSync(join(path, who)).filter((name) => name !== 'own');
      expect(names.length).toBe(300);
      const uids = new Set(names.map((name) => statSync(join(path, who, name)).uid));
      expect([...uids]).toStrictEqual([who === 'alice' ? ALICE : BOB]);
    }
    await root.getattr('alice/own');
  });

  test('wait for a disk in threads that are nobody but the server', async () => {
    const { client } = await served({}, transport);
    const alice = await client.attach({ nUname: ALICE });
    const before = identityOf('self');
    // As many at once as the pool has threads, and more; they are started for the first.
    const files = await Promise.all(
      Array.from({ length: 12 }, (_, index) => alice.create(['alice', `f-${index}`])),
    );
    await Promise.all(
      files.map(async (file) => {
        await file.write(utf8('x'), 0);
        await file.fsync();
      }),
    );
    expect([...identities()]).toStrictEqual([before]);
  });
});

test('a thread pool serves each client as its users, in threads of its own and in shared ones', async () => {
  const pool = new ThreadPool({ options: { root: path, actAs: users }, threads: 1 });
  const before = identityOf('self');
  const clients = await Promise.all(
    Array.from({ length: 4 }, async (_, index) => {
      const [ours, theirs] = socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
      const socket = new Socket({ fd: ours });
      const { ended } = pool.serve(theirs);
      const client = await Client.connect({ stream: socket });
      const who = index % 2 === 0 ? 'alice' : 'bob';
      const tree = await client.attach({ nUname: who === 'alice' ? ALICE : BOB });
      return { socket, ended, tree, who, other: who === 'alice' ? 'bob' : 'alice', index };
    }),
  );
  const work = async ({ tree, who, other, index }: (typeof clients)[number]) => {
    for (let round = 0; round < 200; round++) {
      await refuses(tree.walk([other, 'own']), ...denied);
      const file = await tree.create([who, `${index}-${round}`]);
      await file.write(utf8('x'), 0);
      if (round % 20 === 0) await file.fsync();
      await file.clunk();
    }
  };
  await Promise.all(clients.map(work));
  expect([...identities()]).toStrictEqual([before]);
  for (const { socket, ended } of clients) {
    socket.destroy();
    await ended;
  }
  for (const who of ['alice', 'bob']) {
    expect(readdirSync(join(path, who)).length).toBe(401);
    for (const name of readdirSync(join(path, who))) {
      expect(statSync(join(path, who, name)).uid).toBe(who === 'alice' ? ALICE : BOB);
    }
  }
});

describe('the rights of a user', () => {
  async function alone(nUname: number): Promise<RemoteNode> {
    return await (await served()).client.attach({ nUname });
  }

  test('are those of his groups, and of none of the server', async () => {
    for (const [name, gid] of [
      ['team', TEAM],
      ['root', 0],
    ] as const) {
      writeFileSync(join(path, name), name, { mode: 0o640 });
      chownSync(join(path, name), 0, gid);
    }
    const { client } = await served();
    const alice = await client.attach({ nUname: ALICE });
    const bob = await client.attach({ nUname: BOB });
    expect(text(await alice.readFile('team'))).toBe('team');
    await refuses(bob.readFile('team'), 'EACCES');
    await refuses(alice.readFile('root'), 'EACCES');
    // A group of his own can be given to what is made, another one not.
    await alice.writeFile('alice/team', utf8(''), { gid: TEAM });
    await alice.writeFile('alice/other', utf8(''), { gid: 12_345 });
    expect((await alice.getattr('alice/team')).gid).toBe(TEAM);
    expect((await alice.getattr('alice/other')).gid).toBe(ALICE);
  });

  test('let no set-id bit survive his writing, which root may', async () => {
    writeFileSync(join(path, 'tool'), 'x');
    chmodSync(join(path, 'tool'), 0o4777);
    const file = await (await alone(ALICE)).open('tool', { flags: OpenFlags.writeOnly });
    await file.write(utf8('y'), 0);
    expect(statSync(join(path, 'tool')).mode & 0o7777).toBe(0o777);
  });

  test('of changing the length come with a file that is open to write, whatever its mode is', async () => {
    const alice = await alone(ALICE);
    const file = await alice.create('alice/once', { mode: 0o444 });
    await file.write(utf8('0123456789'), 0);
    await file.setattr({ size: 4 });
    expect(text(await file.readToEnd())).toBe('0123');
    await refuses(alice.setattr('alice/once', { size: 0 }), 'EACCES');
    const reader = await alice.open('alice/once');
    await refuses(reader.setattr({ size: 0 }), 'EACCES');
  });

  test('are not lent to a request that names the fids of two', async () => {
    const { client } = await served();
    const alice = await client.attach({ nUname: ALICE });
    const bob = await client.attach({ nUname: BOB });
    const theirs = {
      a: await alice.walk('alice'),
      b: await bob.walk('bob'),
      file: await bob.walk('bob/own'),
    };
    const rename = { message: 'Trenameat', olddirfid: theirs.b.fid, newdirfid: theirs.a.fid } as const;
    const names = { oldname: utf8('own'), newname: utf8('stolen') };
    expect(await askForError(client, { ...rename, ...names })).toBe(Errno.EACCES);
    const link = {
      message: 'Tlink',
      dfid: theirs.a.fid,
      fid: theirs.file.fid,
      name: utf8('stolen'),
    } as const;
    expect(await askForError(client, link)).toBe(Errno.EACCES);
    const move = {
      message: 'Trename',
      fid: theirs.file.fid,
      dfid: theirs.a.fid,
      name: utf8('stolen'),
    } as const;
    expect(await askForError(client, move)).toBe(Errno.EACCES);
    expect(readdirSync(join(path, 'alice'))).toStrictEqual(['own']);
    expect(readdirSync(join(path, 'bob'))).toStrictEqual(['own']);
  });
});

describe('who attaches', () => {
  test('is one of the users, by number, by name where there is none, and through the map', async () => {
    const { client } = await served({ uidMap: new Map([[ALICE, 1000]]) });
    for (const who of [{ nUname: 1000 }, { uname: 'alice' }, { uname: 'nobody at all', nUname: 1000 }]) {
      expect(text(await (await client.attach(who)).readFile('alice/own'))).toBe('alice');
    }
    for (const who of [{}, { uname: 'mallory' }, { nUname: 4242 }, { uname: 'alice', nUname: 4242 }]) {
      await refuses(client.attach(who), 'EACCES');
    }
  });

  test('is always the one to whom all are squashed', async () => {
    const { client } = await served({ squash: { uid: BOB, gid: TEAM }, actAs: new Map() });
    for (const who of [{}, { uname: 'alice' }, { nUname: 0 }, { nUname: ALICE }]) {
      const tree = await client.attach(who);
      expect(text(await tree.readFile('bob/own'))).toBe('bob');
      await refuses(tree.walk('alice/own'), ...denied);
      await tree.writeFile('bob/new', utf8(''), { gid: 0 });
      const { uid, gid } = statSync(join(path, 'bob', 'new'));
      expect([uid, gid]).toStrictEqual([BOB, TEAM]);
      await tree.unlink('bob/new');
    }
  });
});

describe('a method of the filesystem', () => {
  const server = () => identityOf('thread-self');

  /** A name that tells who looks at it. */
  class Witness extends Name {
    readonly seen: string[] = [];
    readonly #text: Uint8Array;
    #fails: boolean;

    constructor(text: string, fails = false) {
      super(utf8(text));
      this.#text = utf8(text);
      this.#fails = fails;
      Object.defineProperty(this, 'bytes', { get: () => this.#look() });
    }

    #look(): Uint8Array {
      this.seen?.push(identityOf('thread-self'));
      if (this.#fails) throw new Error('a bug in the middle of a call');
      return this.#text;
    }
  }

  test('is called as the user, and the thread is the server again, whether it succeeds, fails or throws', () => {
    const before = server();
    using fs = new HostFileSystem({ root: path, actAs: users });
    const alice = fs.attach({ nUname: ALICE }) as HostNode;
    const as = (uid: number, groups: string) => `0\t0\t0\t${uid} / 0\t0\t0\t${uid} / ${groups}`;
    for (const [name, fails, outcome] of [
      ['alice', false, 'object'],
      ['bob/own', false, 'number'],
      ['alice', true, 'thrown'],
    ] as const) {
      const witness = new Witness(name, fails);
      let result: unknown = 'thrown';
      try {
        result = fs.walk(alice, witness);
      } catch (error) {
        expect((error as Error).message).toBe('a bug in the middle of a call');
      }
      expect(typeof result === 'string' ? result : typeof result).toBe(outcome);
      expect(witness.seen.length).toBeGreaterThan(0);
      expect(new Set(witness.seen)).toStrictEqual(new Set([as(ALICE, `${TEAM}`)]));
      expect(server()).toBe(before);
    }
    const bob = fs.attach({ nUname: BOB }) as HostNode;
    // One that calls others of its own: none of these ends the user's turn.
    const folder = fs.walk(bob, Name.from('bob')) as HostNode;
    const made = fs.create(folder, Name.from('new'), OpenFlags.readWrite, 0o600, 0xffffffff);
    fs.close((made as { file: HostFile }).file);
    const witness = new Witness('newer');
    expect(fs.rename((made as { node: HostNode }).node, folder, witness)).toBe(0);
    expect(new Set(witness.seen)).toStrictEqual(new Set([as(BOB, '')]));
    expect(server()).toBe(before);
  });

  test('is called as the user, whichever it is, but for those that only let go or find the root', () => {
    using fs = new HostFileSystem({ root: path, actAs: users });
    const methods = Object.getOwnPropertyNames(HostFileSystem.prototype);
    const plain = methods.filter((name) => !Object.hasOwn(fs, name));
    expect(plain.sort()).toStrictEqual(['attach', 'close', 'constructor', 'fsync', 'release', 'retain']);
  });

  test('that no user calls is not called at all', () => {
    using fs = new HostFileSystem({ root: path, actAs: users });
    const alice = fs.attach({ nUname: ALICE }) as HostNode;
    alice.user = 4242;
    expect(fs.walk(alice, Name.from('alice'))).toBe(-Errno.EACCES);
    expect((fs.statfs as (node: unknown) => unknown)({})).toBe(-Errno.EACCES);
  });

  test('of one that needs no root is called as ever', () => {
    using fs = new HostFileSystem({ root: path });
    expect(Object.getOwnPropertyNames(fs)).toStrictEqual([]);
  });
});

test('a symlink to a file of his own, put where only root may read, helps nobody', async () => {
  symlinkSync('/etc/shadow', join(path, 'alice', 'shadow'));
  const { client } = await served();
  const alice = await client.attach({ nUname: ALICE });
  await refuses(alice.open('alice/shadow'), 'ELOOP');
});
