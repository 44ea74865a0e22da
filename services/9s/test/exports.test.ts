import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Client, type RemoteNode } from '@vm-tools/p9-protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bench, type NineS } from './nine-s.ts';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clear());

async function connect(): Promise<Client> {
  return await Client.connect({ stream: await bench.connect() });
}

async function textOf(root: RemoteNode, path: string): Promise<string> {
  return new TextDecoder().decode(await root.readFile(path));
}

describe('several directories', () => {
  it('are each served, with Landlock and without, to those who attach by its name', async () => {
    const other = join(bench.folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'hello'), 'other');
    for (const sandbox of ['require', 'off']) {
      const args = [
        '--sandbox',
        sandbox,
        '--export',
        `a=${bench.root}`,
        '--export',
        `b/c=${other}`,
        bench.listen,
      ];
      const nineS = bench.start(args);
      await nineS.logged('listening');
      expect(nineS.stderr).toContain(`root="${bench.root} as a, ${other} as b/c"`);
      const client = await connect();
      const a = await client.attach({ aname: 'a' });
      const b = await client.attach({ aname: 'b/c' });
      expect(await textOf(a, 'hello')).toBe('hello, guest\n');
      expect(await textOf(b, 'hello')).toBe('other');
      for (const aname of ['', 'b', other]) {
        await expect(client.attach({ aname })).rejects.toMatchObject({ code: 'ENOENT' });
      }
      for (const tree of [a, b]) {
        await tree.writeFile('new', Buffer.from('new'));
        await tree.unlink('new');
      }
      expect(await nineS.terminate()).toMatchObject({ code: 0 });
    }
  });
});

describe('acting as users, under the sandbox', () => {
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'latin1'));
  const [uid, gid] = [Number(nobody?.[1]), Number(nobody?.[2])];

  beforeEach(() => {
    expect(userInfo().uid, 'only root can act as others: run the tests as root').toBe(0);
    expect(uid, 'there is no user "nobody" in /etc/passwd').toBeGreaterThan(0);
    writeFileSync(join(bench.root, 'secret'), 'secret', { mode: 0o600 });
    mkdirSync(join(bench.root, 'home'));
    chownSync(join(bench.root, 'home'), uid, gid);
    chmodSync(bench.root, 0o755);
  });

  /** As whom its threads work with files. */
  const users = ({ child: { pid } }: NineS) =>
    new Set(
      readdirSync(`/proc/${pid}/task`).map(
        (task) => /^Uid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1'))?.[1],
      ),
    );

  it('gives each user his own rights, and nobody the rights of another', async () => {
    const nineS = await bench.serve(['--sandbox', 'require', '--act-as-user', '--threads', '1']);
    // A client in a thread of its own and two that share one.
    const clients = [await connect(), await connect(), await connect()];
    for (const [index, client] of clients.entries()) {
      const root = await client.attach({ nUname: 0 });
      const user = await client.attach({ nUname: uid });
      expect(await textOf(root, 'secret')).toBe('secret');
      await expect(user.open('secret')).rejects.toMatchObject({ code: 'EACCES' });
      await expect(user.mkdir('new')).rejects.toMatchObject({ code: 'EACCES' });
      const file = await user.create(`home/${index}`);
      await file.fsync();
      expect(statSync(join(bench.root, 'home', String(index)))).toMatchObject({ uid, gid });
      await expect(client.attach({ nUname: 4_000_000 })).rejects.toMatchObject({ code: 'EACCES' });
    }
    expect([...users(nineS)]).toEqual(['0']);
    expect(await nineS.terminate()).toMatchObject({ code: 0 });
  });

  it('lets all be the one to whom they are squashed', async () => {
    await bench.serve(['--sandbox', 'require', '--act_as_user', '--squash', `${uid}:${gid}`]);
    const client = await connect();
    for (const nUname of [0, 1, uid]) {
      const tree = await client.attach({ nUname });
      await expect(tree.open('secret')).rejects.toMatchObject({ code: 'EACCES' });
      await tree.writeFile('home/file', Buffer.from('x'), { gid: 0 });
      expect(statSync(join(bench.root, 'home', 'file'))).toMatchObject({ uid, gid });
    }
  });
});

it('--squash gives what is made to one user, --ignore-case finds what is there', async () => {
  await bench.serve(['--squash', '1234:5678', '--ignore-case', '--uid-map', '1234:1000']);
  const root = await (await connect()).attach({ nUname: 77 });
  await root.writeFile('Made', Buffer.from('x'));
  expect(statSync(join(bench.root, 'Made'))).toMatchObject({ uid: 1234, gid: 5678 });
  expect((await root.getattr('MADE')).uid).toBe(1000);
  expect(await textOf(root, 'HELLO')).toBe('hello, guest\n');
});
