import { describe, expect, test } from 'vitest';
import { ScriptedPeer, settled } from '../../test/scripted-peer.ts';
import { P9Error } from '../errno.ts';
import { OpenFlags, SetattrMask, UNLINK_DIRECTORY, XattrFlags } from '../wire/flags.ts';
import type { Message } from '../wire/messages.ts';
import { Qid } from '../wire/qid.ts';
import { Client } from './client.ts';
import { ConnectionError } from './connection-error.ts';
import type { RemoteNode } from './remote-node.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const qid = new Qid(0, 1, 7n);

/** An answer to each kind of request, as a server would give it that has everything; the test replaces some. */
type Script = { [N in Message['message']]?: (request: Message<N>) => Message | undefined };

interface Scene {
  peer: ScriptedPeer;
  client: Client;
  root: RemoteNode;
  /** What the client sent, without version and attach, as `Twalk 0->1 a/b` and the like. */
  log: string[];
}

const defaults: Script = {
  Tversion: ({ tag, msize, version }) => ({ message: 'Rversion', tag, msize, version }),
  Tattach: ({ tag }) => ({ message: 'Rattach', tag, qid: new Qid(0x80, 0, 1n) }),
  Twalk: ({ tag, wnames }) => ({ message: 'Rwalk', tag, wqids: wnames.map(() => qid) }),
  Tclunk: ({ tag }) => ({ message: 'Rclunk', tag }),
  Tremove: ({ tag }) => ({ message: 'Rremove', tag }),
  Tlopen: ({ tag }) => ({ message: 'Rlopen', tag, qid, iounit: 0 }),
  Tlcreate: ({ tag }) => ({ message: 'Rlcreate', tag, qid, iounit: 0 }),
  Twrite: ({ tag, data }) => ({ message: 'Rwrite', tag, count: data.length }),
  Tsetattr: ({ tag }) => ({ message: 'Rsetattr', tag }),
  Txattrcreate: ({ tag }) => ({ message: 'Rxattrcreate', tag }),
  Tunlinkat: ({ tag }) => ({ message: 'Runlinkat', tag }),
  Trenameat: ({ tag }) => ({ message: 'Rrenameat', tag }),
  Tmkdir: ({ tag }) => ({ message: 'Rmkdir', tag, qid }),
};

async function scene(script: Script = {}, msize = 4096): Promise<Scene> {
  const peer = new ScriptedPeer();
  const answers = { ...defaults, ...script } as Record<
    string,
    ((request: Message) => Message | undefined) | undefined
  >;
  const log: string[] = [];
  peer.answerWith((request) => {
    log.push(describeShortly(request));
    return answers[request.message]?.(request);
  });
  const client = await Client.connect({ stream: peer, msize });
  const root = await client.attach();
  log.length = 0;
  return { peer, client, root, log };
}

function describeShortly(request: Message): string {
  switch (request.message) {
    case 'Twalk':
      return `Twalk ${request.fid}->${request.newfid} ${request.wnames.map(text).join('/')}`.trimEnd();
    case 'Tread':
      return `Tread ${request.fid} ${request.offset}+${request.count}`;
    case 'Twrite':
      return `Twrite ${request.fid} ${request.offset}+${request.data.length}`;
    default:
      return 'fid' in request ? `${request.message} ${request.fid}` : request.message;
  }
}

async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    () => expect.fail('expected a rejection'),
    (error: unknown) => error as Error,
  );
}

/** Serves reads of a file with this content, `most` bytes at a time. */
const contentOf = (content: Uint8Array, most = Number.POSITIVE_INFINITY): Script => ({
  Tread: ({ tag, offset, count }) => {
    const start = Number(offset);
    return { message: 'Rread', tag, data: content.slice(start, start + Math.min(count, most)) };
  },
});

const bytes = (length: number) =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
const PAYLOAD = 4096 - 24;

describe('connect', () => {
  test.each([0, 4095, 2 ** 30 + 1, 8192.5])(
    'an msize of %d is refused before anything is sent',
    async (msize) => {
      const peer = new ScriptedPeer();
      expect(await rejection(Client.connect({ stream: peer, msize }))).toBeInstanceOf(RangeError);
      expect(peer.writes).toBe(0);
    },
  );

  test('a server that refuses Tversion: the stream is destroyed', async () => {
    const peer = new ScriptedPeer();
    peer.answerWith(({ tag }) => ({ message: 'Rlerror', tag, ecode: 22 }));
    expect(await rejection(Client.connect({ stream: peer }))).toBeInstanceOf(P9Error);
    expect(peer.destroyed).toBe(true);
  });

  test('attach says who and what', async () => {
    const { peer, client } = await scene();
    peer.answerWith(() => undefined);
    const attach = client.attach({ uname: 'ann', aname: '/srv', nUname: 1000 });
    const { tag, fid: _, ...request } = await peer.next('Tattach');
    expect(request).toStrictEqual({
      message: 'Tattach',
      afid: 0xffffffff,
      uname: utf8('ann'),
      aname: utf8('/srv'),
      nUname: 1000,
    });
    peer.send({ message: 'Rattach', tag, qid });
    expect((await attach).qid).toStrictEqual(qid);
  });
});

describe('walking', () => {
  test.each([
    ['a/b', 'a/b'],
    ['/a//b/', 'a/b'],
    ['./a/./b', 'a/b'],
    ['a/../b', 'a/../b'],
    [['a', utf8('b')], 'a/b'],
    [['', '.'], '/.'],
    ['', ''],
    [[], ''],
  ])('%j goes out as %j', async (path, sent) => {
    const { root, log } = await scene();
    await root.walk(path);
    expect(log).toStrictEqual([`Twalk 0->1 ${sent}`.trimEnd()]);
  });

  test('more than 16 names take several messages, in one fid', async () => {
    const { root, log } = await scene();
    const names = Array.from({ length: 40 }, (_, index) => `${index}`);
    await root.walk(names);
    expect(log).toStrictEqual([
      `Twalk 0->1 ${names.slice(0, 16).join('/')}`,
      `Twalk 1->1 ${names.slice(16, 32).join('/')}`,
      `Twalk 1->1 ${names.slice(32).join('/')}`,
    ]);
  });

  test('a walk that ends early is ENOENT, and leaves no fid', async () => {
    const { root, client, log } = await scene({
      Twalk: ({ tag }) => ({ message: 'Rwalk', tag, wqids: [qid] }),
    });
    const error = await rejection(root.walk('a/b/c'));
    expect(error).toMatchObject({ name: 'P9Error', code: 'ENOENT' });
    expect(error.message).toBe('ENOENT: walk to "a/b/c" came no further than "a"');
    expect(log).toStrictEqual(['Twalk 0->1 a/b/c']);
    expect(client.fidsInUse).toBe(1);
  });

  test('one that ends early in its second message has made the fid, which is clunked', async () => {
    const { root, client, log } = await scene({
      Twalk: ({ tag, wnames }) => ({ message: 'Rwalk', tag, wqids: wnames.slice(0, 16 - 1).map(() => qid) }),
    });
    // 16 names in the first message would already fall short: answer that one in full.
    const full = await scene({
      Twalk: ({ tag, fid, wnames }) => ({
        message: 'Rwalk',
        tag,
        wqids: fid === 0 ? wnames.map(() => qid) : [],
      }),
    });
    const names = Array.from({ length: 18 }, (_, index) => `${index}`);
    expect(await rejection(root.walk(names))).toMatchObject({ code: 'ENOENT' });
    expect(log.length).toBe(1);
    expect(client.fidsInUse).toBe(1);
    expect(await rejection(full.root.walk(names))).toMatchObject({ code: 'ENOENT' });
    expect(full.log.slice(1)).toStrictEqual(['Twalk 1->1 16/17', 'Tclunk 1']);
    expect(full.client.fidsInUse).toBe(1);
  });

  test('the numbers of clunked fids are used again', async () => {
    const { root, client, log } = await scene();
    const first = await root.walk('a');
    const second = await root.walk('b');
    await first.clunk();
    await root.walk('c');
    expect(log).toStrictEqual(['Twalk 0->1 a', 'Twalk 0->2 b', 'Tclunk 1', 'Twalk 0->1 c']);
    await second.clunk();
    await second.clunk();
    expect(log.at(-1)).toBe('Tclunk 2');
    expect(log.length).toBe(5);
    expect(client.fidsInUse).toBe(2);
  });

  test('what is done with a clunked handle is EBADF, and not sent', async () => {
    const { root, log } = await scene();
    const node = await root.walk('a');
    const file = await root.open('b');
    await node.clunk();
    await file.clunk();
    log.length = 0;
    const uses: (() => Promise<unknown>)[] = [
      () => node.walk('x'),
      () => node.getattr(),
      () => node.open(),
      () => node.remove(),
      () => file.read(0, 1),
      () => file.readToEnd(),
      () => file.write(new Uint8Array(1), 0),
      () => file.fsync(),
      () => file.readdir().next(),
      () => file.getattr(),
      () => file.setattr({}),
      () => root.link(node, 'x'),
    ];
    for (const use of uses) expect(await rejection(use())).toMatchObject({ code: 'EBADF' });
    expect(log).toStrictEqual([]);
  });

  test('a handle is clunked at the end of an await using block', async () => {
    const { root, client, log } = await scene();
    const node = await root.walk('a');
    await node[Symbol.asyncDispose]();
    expect(log).toStrictEqual(['Twalk 0->1 a', 'Tclunk 1']);
    expect(client.fidsInUse).toBe(1);
    await client[Symbol.asyncDispose]();
    expect(await client.closed).toMatchObject({ code: 'ERR_P9_CLOSED' });
  });
});

describe('reading', () => {
  test.each([0, 1, PAYLOAD - 1, PAYLOAD, PAYLOAD + 1, 9 * PAYLOAD, 20 * PAYLOAD + 5])(
    'a file of %i bytes comes whole, in messages of msize',
    async (length) => {
      const content = bytes(length);
      const { root, client, log } = await scene(contentOf(content));
      expect(Buffer.compare(await root.readFile('a'), content)).toBe(0);
      const counts = log.filter((line) => line.startsWith('Tread')).map((line) => Number(line.split('+')[1]));
      expect(Math.max(...counts)).toBe(PAYLOAD);
      expect(log.at(-1)).toBe('Tclunk 1');
      expect(client.fidsInUse).toBe(1);
    },
  );

  test('reads that give less than there is are continued', async () => {
    const content = bytes(3 * PAYLOAD + 7);
    const { root } = await scene(contentOf(content, 1000));
    expect(Buffer.compare(await root.readFile('a'), content)).toBe(0);
  });

  test('pieces of a long read are asked for side by side', async () => {
    const { root, peer } = await scene({ Tread: () => undefined });
    const file = await root.open('a');
    const read = file.read(100, 3 * PAYLOAD);
    await settled();
    expect(peer.unread.map(describeShortly)).toStrictEqual([
      `Tread 1 100+${PAYLOAD}`,
      `Tread 1 ${100 + PAYLOAD}+${PAYLOAD}`,
      `Tread 1 ${100 + 2 * PAYLOAD}+${PAYLOAD}`,
    ]);
    const requests = [...peer.unread].reverse();
    for (const { tag } of requests) peer.send({ message: 'Rread', tag, data: new Uint8Array(PAYLOAD) });
    expect((await read).length).toBe(3 * PAYLOAD);
  });

  test('a read stops at the end of the file', async () => {
    const { root, log } = await scene(contentOf(bytes(10)));
    const file = await root.open('a');
    expect((await file.read(4, 100 * PAYLOAD)).length).toBe(6);
    expect((await file.read(10, 5)).length).toBe(0);
    // Eight pieces were under way when the end was found.
    expect(log.filter((line) => line.startsWith('Tread')).length).toBeLessThan(12);
  });

  test('the iounit of the file is kept to', async () => {
    const { root, log } = await scene({
      ...contentOf(bytes(250)),
      Tlopen: ({ tag }) => ({ message: 'Rlopen', tag, qid, iounit: 100 }),
    });
    const file = await root.open('a');
    expect(file.ioUnit).toBe(100);
    await file.read(0, 250);
    await file.write(bytes(150), 0);
    expect(log.slice(2)).toStrictEqual([
      'Tread 1 0+100',
      'Tread 1 100+100',
      'Tread 1 200+50',
      'Twrite 1 0+100',
      'Twrite 1 100+50',
    ]);
  });

  test('more bytes than were asked for are an error', async () => {
    const { root, client } = await scene({
      Tread: ({ tag, count }) => ({ message: 'Rread', tag, data: new Uint8Array(count + 1) }),
    });
    const error = await rejection(root.readFile('a'));
    expect(error).toMatchObject({
      code: 'EIO',
      message: 'EIO: the server gave 4073 bytes for 4072 at offset 0',
    });
    expect(client.fidsInUse).toBe(1);
  });

  test('an error in one piece is that of the read, and the file is clunked', async () => {
    const { root, client, log } = await scene({
      Tread: ({ tag, offset, count }) =>
        offset > 0n
          ? { message: 'Rlerror', tag, ecode: 5 }
          : { message: 'Rread', tag, data: new Uint8Array(count) },
    });
    expect(await rejection(root.readFile('a'))).toMatchObject({ code: 'EIO' });
    expect(log.at(-1)).toBe('Tclunk 1');
    expect(client.fidsInUse).toBe(1);
  });
});

describe('writing', () => {
  test('writeFile makes the file and writes all of it, piece after piece', async () => {
    const { root, client, log } = await scene();
    await root.writeFile('d/a', bytes(PAYLOAD + 1));
    expect(log).toStrictEqual([
      'Twalk 0->1 d',
      'Tlcreate 1',
      `Twrite 1 0+${PAYLOAD}`,
      `Twrite 1 ${PAYLOAD}+1`,
      'Tclunk 1',
    ]);
    expect(client.fidsInUse).toBe(1);
  });

  test('with the flags for that', async () => {
    const { root, peer } = await scene({ Tlcreate: () => undefined });
    void root.writeFile('a', bytes(1), { mode: 0o600, gid: 5 }).catch(() => {});
    const { flags, mode, gid, name } = await peer.next('Tlcreate');
    expect({ flags, mode, gid, name }).toStrictEqual({
      flags: OpenFlags.writeOnly | OpenFlags.truncate | OpenFlags.create,
      mode: 0o600,
      gid: 5,
      name: utf8('a'),
    });
  });

  test('writes that take less than they were given are continued', async () => {
    const written: number[] = [];
    const { root } = await scene({
      Twrite: ({ tag, offset, data }) => {
        const count = Math.min(data.length, 60);
        for (let index = 0; index < count; index++) written[Number(offset) + index] = data[index] as number;
        return { message: 'Rwrite', tag, count };
      },
    });
    await root.writeFile('a', bytes(200));
    expect(written).toStrictEqual([...bytes(200)]);
  });

  test.each([0, 2])('a server that says it wrote %i of 1 byte is not believed', async (count) => {
    const { root } = await scene({ Twrite: ({ tag }) => ({ message: 'Rwrite', tag, count }) });
    expect(await rejection(root.writeFile('a', bytes(1)))).toMatchObject({ code: 'EIO' });
  });
});

describe('directories', () => {
  const entry = (name: string, next: bigint) => {
    const encoded = utf8(name);
    const data = new Uint8Array(24 + encoded.length);
    const view = new DataView(data.buffer);
    view.setUint8(0, 0x80);
    view.setUint32(1, 5, true);
    view.setBigUint64(5, 6n, true);
    view.setBigUint64(13, next, true);
    view.setUint8(21, 4);
    view.setUint16(22, encoded.length, true);
    data.set(encoded, 24);
    return data;
  };
  const script: Script = {
    Treaddir: ({ tag, offset }) => {
      const parts: Record<string, Uint8Array[]> = {
        0: [entry('a', 5n), entry('b', 9n)],
        9: [entry('c', 2n ** 63n)],
      };
      return { message: 'Rreaddir', tag, data: new Uint8Array(Buffer.concat(parts[`${offset}`] ?? [])) };
    },
  };

  test('all entries, going on from the last one of each message', async () => {
    const { root, client } = await scene(script);
    const entries = [];
    for await (const found of root.readdir('d')) entries.push(found);
    expect(entries.map(({ name }) => String(name))).toStrictEqual(['a', 'b', 'c']);
    expect(entries[2]).toMatchObject({ qid: new Qid(0x80, 5, 6n), type: 4, next: 2n ** 63n });
    expect(client.fidsInUse).toBe(1);
  });

  test('a loop that is left clunks the directory', async () => {
    const { root, client, log } = await scene(script);
    for await (const _ of root.readdir('d')) break;
    expect(log.at(-1)).toBe('Tclunk 1');
    expect(client.fidsInUse).toBe(1);
  });

  test('entries cut short are an error with the place', async () => {
    const { root } = await scene({
      Treaddir: ({ tag }) => ({ message: 'Rreaddir', tag, data: entry('abc', 1n).slice(0, 26) }),
    });
    expect(await rejection(root.readdir().next())).toMatchObject({ code: 'ERR_P9_FIELD_OVERRUN', offset: 0 });
  });
});

describe('fids used on the way', () => {
  test('are clunked when the operation fails, and its error is the one that counts', async () => {
    const refuse = (ecode: number) => (request: Message) =>
      ({ message: 'Rlerror', tag: request.tag, ecode }) as const;
    const { root, client, log } = await scene({ Tlopen: refuse(13), Tmkdir: refuse(17), Tclunk: refuse(9) });
    expect(await rejection(root.open('a'))).toMatchObject({ code: 'EACCES' });
    expect(await rejection(root.mkdir('d/a'))).toMatchObject({ code: 'EEXIST' });
    expect(log).toStrictEqual(['Twalk 0->1 a', 'Tlopen 1', 'Tclunk 1', 'Twalk 0->1 d', 'Tmkdir', 'Tclunk 1']);
    expect(client.fidsInUse).toBe(1);
  });

  test('an operation on an entry of the node itself needs none', async () => {
    const { root, log } = await scene();
    await root.mkdir('a');
    await root.unlink('a', { directory: true });
    await root.renameat('a', 'b');
    expect(log).toStrictEqual(['Tmkdir', 'Tunlinkat', 'Trenameat']);
  });

  test('a path without a name for the entry is EINVAL', async () => {
    const { root, log } = await scene();
    for (const path of ['', '/', '.', []]) {
      expect(await rejection(root.mkdir(path))).toMatchObject({ code: 'EINVAL' });
      expect(await rejection(root.unlink(path))).toMatchObject({ code: 'EINVAL' });
      expect(await rejection(root.writeFile(path, bytes(1)))).toMatchObject({ code: 'EINVAL' });
    }
    expect(log).toStrictEqual([]);
  });

  test('remove ends the handle even when the server refuses', async () => {
    const { root, client } = await scene({ Tremove: ({ tag }) => ({ message: 'Rlerror', tag, ecode: 39 }) });
    const node = await root.walk('a');
    expect(await rejection(node.remove())).toMatchObject({ code: 'ENOTEMPTY' });
    expect(client.fidsInUse).toBe(1);
  });

  test('a call that is cancelled in the middle clunks what it had', async () => {
    const { root, client, peer, log } = await scene({
      Tlopen: () => undefined,
      Tflush: ({ tag }) => ({ message: 'Rflush', tag }),
    });
    const cancel = new AbortController();
    const open = root.open('a', { signal: cancel.signal });
    await peer.next('Tlopen');
    cancel.abort();
    expect(await rejection(open)).toMatchObject({ name: 'AbortError' });
    expect(log).toStrictEqual(['Twalk 0->1 a', 'Tlopen 1', 'Tflush', 'Tclunk 1']);
    expect(client.fidsInUse).toBe(1);
  });

  test('after the end of the connection everything rejects with its reason', async () => {
    const { root, client, peer } = await scene();
    const file = await root.open('a');
    peer.emit('end');
    for (const use of [
      () => file.read(0, 1),
      () => root.getattr(),
      () => file.clunk(),
      () => client.attach(),
    ]) {
      const error = await rejection(use());
      expect(error).toBeInstanceOf(ConnectionError);
      expect(error.code).toBe('ERR_P9_STREAM_END');
    }
  });
});

describe('attributes', () => {
  test('setattr sends what is to change, and what that is', async () => {
    const { root, peer } = await scene({ Tsetattr: () => undefined });
    const set = root.setattr('', {
      mode: 0o640,
      size: 7,
      atime: 'now',
      mtime: { seconds: -2, nanoseconds: 9 },
    });
    const request = await peer.next('Tsetattr');
    expect(request).toMatchObject({
      valid:
        SetattrMask.mode | SetattrMask.size | SetattrMask.atime | SetattrMask.mtime | SetattrMask.mtimeSet,
      mode: 0o640,
      size: 7n,
      atimeSec: 0n,
      mtimeSec: 2n ** 64n - 2n,
      mtimeNsec: 9n,
    });
    peer.send({ message: 'Rsetattr', tag: request.tag });
    await set;
  });

  test('unlink with `directory` sends AT_REMOVEDIR', async () => {
    const { root, peer } = await scene({ Tunlinkat: () => undefined });
    void root.unlink('a', { directory: true }).catch(() => {});
    expect((await peer.next('Tunlinkat')).flags).toBe(UNLINK_DIRECTORY);
  });
});

describe('extended attributes', () => {
  test('are set in a fid of their own, and an error at its clunk is that of the call', async () => {
    const { root, client, log, peer } = await scene({ Tclunk: () => undefined });
    const set = root.setxattr('', 'user.a', bytes(PAYLOAD + 1));
    const { tag } = await peer.next('Tclunk');
    peer.send({ message: 'Rlerror', tag, ecode: 28 });
    expect(await rejection(set)).toMatchObject({ code: 'ENOSPC' });
    expect(log).toStrictEqual([
      'Twalk 0->1',
      'Txattrcreate 1',
      `Twrite 1 0+${PAYLOAD}`,
      `Twrite 1 ${PAYLOAD}+1`,
      'Tclunk 1',
    ]);
    expect(client.fidsInUse).toBe(1);
  });

  test('removal is a replacement by nothing', async () => {
    const { root, peer } = await scene({ Txattrcreate: () => undefined });
    void root.removexattr('', 'user.a').catch(() => {});
    expect(await peer.next('Txattrcreate')).toMatchObject({
      name: utf8('user.a'),
      size: 0n,
      flags: XattrFlags.replace,
    });
  });

  test('a size that the server only claims costs no memory', async () => {
    const { root, client } = await scene({
      Txattrwalk: ({ tag }) => ({ message: 'Rxattrwalk', tag, size: 2n ** 63n }),
      ...contentOf(utf8('user.a\0user.b\0')),
    });
    expect((await root.listxattr()).map(String)).toStrictEqual(['user.a', 'user.b']);
    expect(text(await root.getxattr('x', 'user.a'))).toBe('user.a\0user.b\0');
    expect(client.fidsInUse).toBe(1);
  });
});
