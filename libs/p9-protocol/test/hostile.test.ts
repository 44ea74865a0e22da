import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { constants, mknodat } from '@vm-tools/linux';
import { afterEach, describe, expect, test } from 'vitest';
import { RawClient } from '../src/client/raw-client.ts';
import { ask, askForError, entriesOf, exchange, refuses, text, utf8 } from '../src/conformance/check.ts';
import { Errno, P9Error } from '../src/errno.ts';
import { encode } from '../src/wire/codec.ts';
import { leastSizeOf } from '../src/wire/layout.ts';
import { type FieldType, type Message, type MessageName, messages } from '../src/wire/messages.ts';
import { messageNames } from './arbitrary-message.ts';
import { scratchDirectory } from './scratch-directory.ts';
import {
  type Served,
  type ServedClient,
  serveHost,
  serveHostToClient,
  type Transport,
  transports,
} from './served.ts';

const open: Served[] = [];

afterEach(async () => {
  for (const served of open.splice(0)) await served.end();
});

async function served(
  transport: Transport,
  ...rest: [options?: { root?: string }, server?: { maxFids?: number }]
): Promise<ServedClient> {
  const [options = {}, server = {}] = rest;
  const made = await serveHostToClient(transport, { root: scratchDirectory(), ...options }, { server });
  open.push(made);
  return made;
}

/** A connection over which nothing was said yet. */
function unspoken(transport: Transport): {
  raw: RawClient;
  connection: Served['connection'];
  socket: Served['socket'];
} {
  const made = serveHost(transport, { root: scratchDirectory() });
  open.push(made);
  return { raw: new RawClient(made.socket), connection: made.connection, socket: made.socket };
}

const requestNames = messageNames.filter((name) => name.startsWith('T'));

/** A request of the kind with all fields 0 or empty. */
function emptyRequest(message: MessageName, tag: number): Uint8Array {
  const zero: Record<FieldType, unknown> = {
    u8: 0,
    u16: 0,
    u32: 0,
    u64: 0n,
    qid: undefined,
    'qid[]': [],
    string: new Uint8Array(),
    'string[]': [],
    data: new Uint8Array(),
  };
  const fields = Object.entries(messages[message][1]) as [string, FieldType][];
  const values = Object.fromEntries(fields.map(([field, type]) => [field, zero[type]]));
  return encode({ message, tag, ...values } as unknown as Message);
}

function withSize(bytes: Uint8Array, size = bytes.length): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, size, true);
  return bytes;
}

function header(size: number, type: number, tag: number): Uint8Array {
  const bytes = new Uint8Array(7);
  withSize(bytes, size);
  bytes[4] = type;
  new DataView(bytes.buffer).setUint16(5, tag, true);
  return bytes;
}

describe.each(transports)('over %s', (transport) => {
  describe('a malformed body', () => {
    test.each(requestNames)(
      'of %s is answered EINVAL for its tag, and the connection goes on',
      async (name) => {
        const { client, root } = await served(transport);
        const frame = emptyRequest(name, 0xf123);
        const malformed: Uint8Array[] = [withSize(new Uint8Array([...frame, 0]))];
        if (frame.length > 7) malformed.push(withSize(frame.slice(0, -1)), withSize(frame.slice(0, 7)));
        // A string, list or data that claims more than is there.
        for (const at of lengthPrefixesOf(name)) {
          const overrun = frame.slice();
          overrun[at] = 1;
          malformed.push(overrun);
          const far = frame.slice();
          far.fill(0xff, at, at + 2);
          malformed.push(far);
        }
        for (const bytes of malformed) {
          expect(await client.raw.exchange(bytes)).toStrictEqual({
            message: 'Rlerror',
            tag: 0xf123,
            ecode: Errno.EINVAL,
          });
        }
        expect((await root.getattr()).qid.path).toBe(root.qid.path);
      },
    );
  });

  test('every type that is no request is answered EOPNOTSUPP or EINVAL, and the connection goes on', async () => {
    const { client, root } = await served(transport);
    const requests = new Set(requestNames.map((name) => messages[name][0] as number));
    const known = new Set(messageNames.map((name) => messages[name][0] as number));
    for (let type = 0; type < 256; type++) {
      if (requests.has(type)) continue;
      const reply = await client.raw.exchange(header(7, type, 0xf000 + type));
      expect(reply).toMatchObject({ message: 'Rlerror', tag: 0xf000 + type });
      const { ecode } = reply as Message<'Rlerror'>;
      // A reply's type is known, and its empty body may be malformed.
      if (known.has(type)) expect([Errno.EOPNOTSUPP, Errno.EINVAL]).toContain(ecode);
      else expect(ecode).toBe(Errno.EOPNOTSUPP);
    }
    await root.getattr();
  });

  describe('a size that no frame has', () => {
    test.each([
      ['0', 0, 'a frame claims to be 0 bytes long, less than its header of 7'],
      ['6', 6, 'a frame claims to be 6 bytes long, less than its header of 7'],
      ['beyond msize', 131_073, 'a frame claims to be 131073 bytes long, more than the msize of 131072'],
      ['2^32-1', 0xffffffff, 'a frame claims to be 4294967295 bytes long, more than the msize of 131072'],
    ])(
      '%s: requests before it are answered, then the connection ends, and no other',
      async (_, size, message) => {
        const { client, root, connection } = await served(transport);
        const other = await served(transport === 'descriptor' ? 'thread' : transport);
        const good = { message: 'Tgetattr', fid: root.fid, mask: 0x7ffn } as const;
        const answered = [client.raw.call(good), client.raw.call(good)];
        // Behind them in the same write, as a rule; microtasks have sent them.
        await Promise.resolve().then(() => client.raw.sendBytes(header(size, 24, 1)));
        for (const reply of await Promise.all(answered)) expect(reply.message).toBe('Rgetattr');
        expect(await connection.ended).toMatchObject({ reason: 'protocol', message });
        const closed = await client.closed;
        expect(['ERR_P9_STREAM_END', 'ERR_P9_STREAM']).toContain(closed.code);
        await other.root.getattr();
      },
    );

    test('before any version too', async () => {
      const { raw, connection } = unspoken(transport);
      raw.sendBytes(header(0x10000000, 100, 0xffff));
      const message = 'a frame claims to be 268435456 bytes long, more than the msize of 1048576';
      expect(await connection.ended).toMatchObject({ reason: 'protocol', message });
    });

    test('a client that does not hang up after it is hung up on', async () => {
      const { client, connection, socket } = await served(transport);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      // More than the server will ever read, so that it is not its reading that ends the stream.
      client.raw.sendBytes(header(3, 0, 0));
      client.raw.sendBytes(new Uint8Array(1 << 20));
      await connection.ended;
      await closed;
    });
  });

  test('a client that hangs up in the middle of a request is said to have done so', async () => {
    const { client, connection, socket } = await served(transport);
    client.raw.sendBytes(header(100, 24, 1));
    socket.end();
    expect(await connection.ended).toMatchObject({
      reason: 'closed',
      message: 'the client hung up in the middle of a request',
    });
  });

  test('a client that hangs up between requests has just hung up', async () => {
    const { connection, socket } = await served(transport);
    socket.end();
    expect(await connection.ended).toMatchObject({ reason: 'closed', message: 'the client hung up' });
  });

  test('many requests in one piece', async () => {
    const { client, root } = await served(transport);
    const request = { message: 'Tgetattr', fid: root.fid, mask: 0x7ffn } as const;
    const replies = await Promise.all(Array.from({ length: 5000 }, () => client.raw.call(request)));
    expect(new Set(replies.map(({ qid }) => qid.path))).toStrictEqual(new Set([root.qid.path]));
  });

  test('requests in pieces of any size', async () => {
    const { client, root, socket } = await served(transport);
    await root.writeFile('a', utf8('0123456789'));
    const file = await root.open('a');
    for (const size of [1, 2, 5, 6, 7, 8, 22, 23, 24, 40]) {
      const frames = [0, 1, 2].map((offset) =>
        encode({ message: 'Tread', tag: 0xf000 + offset, fid: file.fid, offset: BigInt(offset), count: 1 }),
      );
      const stream = Buffer.concat(frames);
      // Nothing is sent for it; the bytes follow by other means.
      const write = socket.write;
      socket.write = () => true;
      const replies = Promise.all(frames.map((frame) => client.raw.exchange(frame)));
      await wait(0);
      socket.write = write;
      for (let at = 0; at < stream.length; at += size) {
        socket.write(stream.subarray(at, at + size));
        await wait(0);
      }
      expect((await replies).map((reply) => text((reply as Message<'Rread'>).data)).join('')).toBe('012');
    }
  });

  describe('before Tversion', () => {
    test('nothing but that is served', async () => {
      const { raw } = unspoken(transport);
      for (const name of requestNames) {
        if (name === 'Tversion' || name === 'Tflush') continue;
        const reply = await raw.exchange(emptyRequest(name, 0xf000));
        expect([name, reply.message]).toStrictEqual([name, 'Rlerror']);
      }
      await raw.negotiate();
    });

    test('an msize that is too small is refused, and too large a one is cut to size', async () => {
      const { raw } = unspoken(transport);
      const version = (msize: number) => ({ message: 'Tversion', msize, version: utf8('9P2000.L') }) as const;
      await expect(raw.call(version(255))).rejects.toMatchObject({ code: 'EINVAL' });
      await expect(raw.call(version(0))).rejects.toMatchObject({ code: 'EINVAL' });
      expect((await raw.call(version(0xffffffff))).msize).toBe(1 << 20);
      expect((await raw.call(version(256))).msize).toBe(256);
    });
  });

  test('the most fids of a connection: one more is ENFILE, and a clunk makes room', async () => {
    const { root } = await served(transport, {}, { maxFids: 10 });
    const nodes = [];
    for (let count = 0; count < 9; count++) nodes.push(await root.walk(''));
    await refuses(root.walk(''), 'ENFILE');
    await nodes[3]?.clunk();
    await (await root.walk('')).clunk();
  });

  test('numbers beyond what a file can have are refused or harmless', async () => {
    const { client, root } = await served(transport);
    await root.writeFile('a', utf8('content'));
    const file = await root.open('a', { flags: 2 });
    const { fid } = file;
    for (const offset of [1n << 53n, 1n << 62n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n]) {
      const read = await exchange(client, { message: 'Tread', fid, offset, count: 10 });
      if (read.message === 'Rread') expect(read.data.length).toBe(0);
      else expect(read).toMatchObject({ message: 'Rlerror', ecode: Errno.EINVAL });
      const ecode = await askForError(client, { message: 'Twrite', fid, offset, data: utf8('x') });
      expect([Errno.EINVAL, Errno.EFBIG]).toContain(ecode);
      const times = { atimeSec: 0n, mtimeSec: 0n, mtimeNsec: 0n, atimeNsec: 0n };
      const truncate = {
        message: 'Tsetattr',
        fid,
        valid: 8,
        mode: 0,
        uid: 0,
        gid: 0,
        size: offset,
        ...times,
      };
      const refusal = await askForError(client, truncate as typeof truncate & { message: 'Tsetattr' });
      expect([Errno.EINVAL, Errno.EFBIG]).toContain(refusal);
      const lock = { fid, type: 1, start: offset, length: offset, procId: 1, clientId: utf8('') };
      const locked = await exchange(client, { message: 'Tlock', flags: 0, ...lock });
      if (locked.message === 'Rlerror') expect([Errno.EINVAL, Errno.EOVERFLOW]).toContain(locked.ecode);
      const asked = await exchange(client, { message: 'Tgetlock', ...lock });
      if (asked.message === 'Rlerror') expect([Errno.EINVAL, Errno.EOVERFLOW]).toContain(asked.ecode);
    }
    const directory = await root.open('');
    for (const offset of [1n, 12345n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n]) {
      const { message } = await exchange(client, {
        message: 'Treaddir',
        fid: directory.fid,
        offset,
        count: 4000,
      });
      expect(['Rreaddir', 'Rlerror']).toContain(message);
    }
    const times = { atimeSec: 0n, mtimeSec: 0n, mtimeNsec: 0n, atimeNsec: 1_000_000_000n };
    const set = {
      message: 'Tsetattr',
      fid,
      valid: 0x90,
      mode: 0,
      uid: 0,
      gid: 0,
      size: 0n,
      ...times,
    } as const;
    expect(await askForError(client, set)).toBe(Errno.EINVAL);
    expect(await askForError(client, { ...set, atimeNsec: 1n << 63n })).toBe(Errno.EINVAL);
    expect(text(await file.readToEnd())).toBe('content');
    expect([...(await entriesOf(root))]).toStrictEqual(['a']);
  });

  test('a symlink whose target does not fit a reply is not cut short', async () => {
    const { client, root } = await served(transport);
    await root.symlink('t'.repeat(300), 'long');
    await root.symlink('t'.repeat(200), 'short');
    const version = { message: 'Tversion', tag: 0xffff, msize: 256, version: utf8('9P2000.L') } as const;
    await ask(client, version, 'Rversion');
    const who = { afid: 0xffffffff, uname: utf8(''), aname: utf8(''), nUname: 0 };
    await ask(client, { message: 'Tattach', fid: 0, ...who }, 'Rattach');
    await ask(client, { message: 'Twalk', fid: 0, newfid: 1, wnames: [utf8('long')] }, 'Rwalk');
    expect(await askForError(client, { message: 'Treadlink', fid: 1 })).not.toBe(0);
    await ask(client, { message: 'Twalk', fid: 0, newfid: 2, wnames: [utf8('short')] }, 'Rwalk');
    expect((await ask(client, { message: 'Treadlink', fid: 2 }, 'Rreadlink')).target.length).toBe(200);
  });

  test('a client that takes no replies is served no further until it does, and then gets all of them', async () => {
    const { client, root, socket } = await served(transport);
    await root.writeFile('a', new Uint8Array(100_000).fill(7));
    const file = await root.open('a');
    socket.pause();
    const request = { message: 'Tread', fid: file.fid, offset: 0n, count: 100_000 } as const;
    const before = process.memoryUsage().arrayBuffers;
    // 400 MB of replies.
    const replies = Promise.all(Array.from({ length: 4000 }, () => client.raw.call(request)));
    for (let turns = 0; turns < 50; turns++) await wait(2);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100e6);
    socket.resume();
    let bytes = 0;
    for (const { data } of await replies) bytes += data.length;
    expect(bytes).toBe(400_000_000);
  });
});

describe('what is outside the root', () => {
  /** `root` is served, `outside` is beside it and to stay as it is. */
  async function stage(transport: Transport = 'stream') {
    const base = scratchDirectory();
    const root = join(base, 'root');
    const outside = join(base, 'outside');
    mkdirSync(join(root, 'd'), { recursive: true });
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret', { mode: 0o600 });
    symlinkSync(outside, join(root, 'absolute'));
    symlinkSync('../outside', join(root, 'relative'));
    symlinkSync('../outside/secret', join(root, 'file'));
    symlinkSync('../outside/new', join(root, 'dangling'));
    symlinkSync('/', join(root, 'slash'));
    symlinkSync('..', join(root, 'up'));
    const state = () => {
      const { mode, uid, gid, size, mtimeMs, ctimeMs, nlink } = statSync(join(outside, 'secret'));
      const content = readFileSync(join(outside, 'secret'), 'utf8');
      return {
        mode,
        uid,
        gid,
        size,
        mtimeMs,
        ctimeMs,
        nlink,
        content,
        entries: readdirSync(outside),
        base: readdirSync(base),
      };
    };
    return {
      ...(await served(transport, { root })),
      root,
      outside,
      state,
      tree: open.at(-1) as ServedClient,
    };
  }

  test('is not walked to, by any name or symlink', async () => {
    const { tree } = await stage();
    const { root } = tree;
    for (const link of ['absolute', 'relative', 'slash', 'up']) {
      await refuses(root.walk([link, 'secret']), 'ENOENT', 'ENOTDIR');
      const node = await root.walk([link]);
      expect((await node.getattr()).mode & 0o170000).toBe(0o120000);
      await refuses(node.walk(['secret']), 'ENOTDIR', 'ENOENT');
      await node.clunk();
    }
    for (const names of [
      ['..'],
      ['..', 'outside'],
      ['d', '..', '..'],
      ['.'],
      ['../outside'],
      ['/'],
      ['/etc/passwd'],
    ]) {
      await refuses(root.walk(names), 'EINVAL', 'ENOENT');
    }
  });

  test('is not opened, made, changed, linked, renamed or removed through a symlink', async () => {
    const { tree, state } = await stage();
    const { root } = tree;
    const before = state();
    for (const flags of [0, 1, 2, 0o1001, 0o2001]) await refuses(root.open('file', { flags }), 'ELOOP');
    for (const path of ['dangling', 'file']) await refuses(root.create(path, { flags: 0o1002 }), 'ELOOP');
    await refuses(root.create('dangling', { flags: 0o202 }), 'EEXIST');
    for (const link of ['absolute', 'relative', 'up']) {
      await refuses(root.create([link, 'new']), 'ENOTDIR');
      await refuses(root.mkdir([link, 'new']), 'ENOTDIR');
      await refuses(root.symlink('x', [link, 'new']), 'ENOTDIR');
      await refuses(root.mknod([link, 'new']), 'ENOTDIR');
      await refuses(root.unlink([link, 'secret']), 'ENOTDIR');
      await refuses(root.renameat([link, 'secret'], 'stolen'), 'ENOTDIR');
      await refuses(root.renameat('d', [link, 'd']), 'ENOTDIR');
      await refuses(root.open(link, { flags: 0o200000 }), 'ELOOP', 'ENOTDIR');
    }
    await refuses(root.setattr('file', { size: 0 }), 'EINVAL', 'ELOOP');
    await refuses(root.setattr('file', { mode: 0o777 }), 'EOPNOTSUPP');
    // Owner and times are those of the link itself.
    await root.setattr('file', { uid: 1234, gid: 1234, mtime: { seconds: 5, nanoseconds: 0 } });
    await refuses(root.setxattr('file', 'user.a', utf8('x')), 'EPERM', 'EOPNOTSUPP', 'ELOOP');
    await refuses(root.getxattr('file', 'user.a'), 'ENODATA', 'EPERM', 'EOPNOTSUPP', 'ELOOP');
    const link = await root.walk('file');
    await root.link(link, 'second');
    expect(String(await root.readlink('second'))).toBe('../outside/secret');
    await link.clunk();
    await root.unlink('file');
    expect(state()).toStrictEqual(before);
  });

  test('stays out of reach of a fid whose directory was replaced by a symlink', async () => {
    const { tree, state, root: path } = await stage();
    const { root } = tree;
    const directory = await root.walk('d');
    await directory.writeFile('f', utf8('inside'));
    const file = await directory.walk('f');
    const before = state();
    renameSync(join(path, 'd'), join(path, 'moved'));
    symlinkSync('../outside', join(path, 'd'));
    await directory.writeFile('new', utf8('x'));
    await directory.renameat('new', 'secret');
    await directory.unlink('secret');
    expect(text(await file.readFile())).toBe('inside');
    await file.setattr('', { mode: 0o600 });
    expect(await entriesOf(directory)).toStrictEqual(['f']);
    await refuses(root.walk('d/secret'), 'ENOENT', 'ENOTDIR');
    expect(readdirSync(join(path, 'moved'))).toStrictEqual(['f']);
    expect(state()).toStrictEqual(before);
  });

  test('stays out of reach while directories and symlinks change places all the time', async () => {
    const { tree, state, root: path } = await stage();
    const { root } = tree;
    writeFileSync(join(path, 'd', 'secret'), 'inside');
    symlinkSync('../outside', join(path, 'other'));
    const before = state();
    const swap = () => {
      renameSync(join(path, 'd'), join(path, 'spare'));
      renameSync(join(path, 'other'), join(path, 'd'));
      renameSync(join(path, 'spare'), join(path, 'other'));
    };
    const results = { inside: 0, refused: 0 };
    for (let round = 0; round < 300; round++) {
      const read = root.readFile('d/secret');
      const write = root.create('d/new', { flags: 2 }).then((file) => file.clunk());
      for (let turn = 0; turn < round % 7; turn++) await Promise.resolve();
      swap();
      const [outcome] = await Promise.allSettled([read, write]);
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toBeInstanceOf(P9Error);
        results.refused++;
      } else {
        expect(text(outcome.value)).toBe('inside');
        results.inside++;
      }
    }
    expect(results.inside).toBeGreaterThan(0);
    expect(results.refused).toBeGreaterThan(0);
    expect(state()).toStrictEqual(before);
  });

  test('has no door in the form of a device, and a FIFO keeps nobody waiting', async () => {
    const { tree, root: path } = await stage();
    const { root, client } = tree;
    await refuses(root.mknod('null', { mode: 0o020666, major: 1, minor: 3 }), 'EPERM');
    await refuses(root.mknod('disk', { mode: 0o060666, major: 8, minor: 0 }), 'EPERM');
    const device = utf8(join(path, 'zero'));
    const made = mknodat(constants.AT_FDCWD, device, 0, device.length, constants.S_IFCHR | 0o666, 1, 5);
    expect(made, 'mknod(2) of a device failed: run the tests as root').toBe(0);
    await root.mknod('fifo', { mode: 0o010666 });
    for (const name of ['zero', 'fifo']) {
      for (const flags of [0, 1, 2]) await refuses(root.open(name, { flags }), 'ENXIO');
      await refuses(root.create(name, { flags: 2 }), 'ENXIO');
      const node = await root.walk(name);
      expect(await askForError(client, { message: 'Tread', fid: node.fid, offset: 0n, count: 1 })).toBe(
        Errno.EBADF,
      );
      await node.clunk();
    }
  });
});

/** Where in an empty request the length of a string, list or data stands. */
function lengthPrefixesOf(name: MessageName): number[] {
  const size: Record<FieldType, number> = {
    u8: 1,
    u16: 2,
    u32: 4,
    u64: 8,
    qid: 13,
    string: 2,
    'string[]': 2,
    'qid[]': 2,
    data: 4,
  };
  const places: number[] = [];
  let at = 7;
  for (const type of Object.values(messages[name][1]) as FieldType[]) {
    if (['string', 'string[]', 'qid[]', 'data'].includes(type)) places.push(at);
    at += size[type];
  }
  expect(at).toBe(leastSizeOf(name));
  return places;
}
