import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ScriptedPeer, settled } from '../../test/scripted-peer.ts';
import type { DuplexLike } from '../byte-stream.ts';
import { P9Error } from '../errno.ts';
import { encode } from '../wire/codec.ts';
import { type Message, NOTAG } from '../wire/messages.ts';
import { Qid } from '../wire/qid.ts';
import { WireError } from '../wire/wire-error.ts';
import { ConnectionError } from './connection-error.ts';
import { RawClient } from './raw-client.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const clunk = (fid: number) => ({ message: 'Tclunk', fid }) as const;

function connected(options?: { msize?: number }) {
  const peer = new ScriptedPeer();
  return { peer, client: new RawClient(peer, options) };
}

/** What a promise rejects with; a failure of the test if it does not. */
async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    (value) => expect.fail(`expected a rejection, got ${JSON.stringify(value)}`),
    (error: unknown) => error as Error,
  );
}

describe('requests and replies', () => {
  test('a call sends its message and gives the reply', async () => {
    const { peer, client } = connected();
    const call = client.call({ message: 'Twalk', fid: 1, newfid: 2, wnames: [utf8('a')] });
    const { tag, ...request } = await peer.next('Twalk');
    expect(request).toStrictEqual({ message: 'Twalk', fid: 1, newfid: 2, wnames: [utf8('a')] });
    peer.send({ message: 'Rwalk', tag, wqids: [new Qid(0, 1, 2n)] });
    expect((await call).wqids).toStrictEqual([new Qid(0, 1, 2n)]);
    expect(client.pending).toBe(0);
  });

  test('requests are sent without waiting for replies, together, each with its own tag', async () => {
    const { peer, client } = connected();
    const calls = Array.from({ length: 100 }, (_, fid) => client.call(clunk(fid)));
    await settled();
    expect(peer.unread.length).toBe(100);
    expect(peer.writes).toBe(1);
    expect(new Set(peer.unread.map((message) => message.tag)).size).toBe(100);
    expect(client.pending).toBe(100);
    for (const { tag } of [...peer.unread]) peer.send({ message: 'Rclunk', tag });
    await Promise.all(calls);
    expect(client.pending).toBe(0);
  });

  test('replies in any order reach the request they answer', async () => {
    const { peer, client } = connected();
    const calls = Array.from({ length: 20 }, (_, fid) =>
      client.call({ message: 'Tread', fid, offset: 0n, count: 9 }),
    );
    const requests: Message<'Tread'>[] = [];
    for (const _ of calls) requests.push(await peer.next('Tread'));
    for (const { tag, fid } of requests.reverse())
      peer.send({ message: 'Rread', tag, data: utf8(`fid ${fid}`) });
    for (const [fid, call] of calls.entries()) {
      expect(new TextDecoder().decode((await call).data)).toBe(`fid ${fid}`);
    }
  });

  test('replies are put together from any pieces', async () => {
    const { peer, client } = connected();
    const calls = [
      client.call({ message: 'Tread', fid: 1, offset: 0n, count: 9 }),
      client.call(clunk(1)),
    ] as const;
    const read = await peer.next('Tread');
    const end = await peer.next('Tclunk');
    const replies = Buffer.concat([
      encode({ message: 'Rread', tag: read.tag, data: utf8('content') }),
      encode({ message: 'Rclunk', tag: end.tag }),
    ]);
    for (const byte of replies) peer.sendBytes(new Uint8Array([byte]));
    expect((await calls[0]).data).toStrictEqual(utf8('content'));
    await calls[1];
  });

  test('an Rlerror rejects as P9Error that tells the request', async () => {
    const { peer, client } = connected();
    const call = client.call({ message: 'Twalk', fid: 1, newfid: 2, wnames: [utf8('usr'), utf8('lib')] });
    const { tag } = await peer.next('Twalk');
    peer.send({ message: 'Rlerror', tag, ecode: 13 });
    const error = await rejection(call);
    expect(error).toBeInstanceOf(P9Error);
    expect(error).toMatchObject({ code: 'EACCES', errno: 13 });
    expect(error.message).toBe('EACCES: Twalk fid 1 newfid 2 wnames "usr"/"lib"');
    expect(client.pending).toBe(0);
  });

  test('a long name or data is not spread out in the error', async () => {
    const { peer, client } = connected();
    peer.answerWith(({ tag }) => ({ message: 'Rlerror', tag, ecode: 28 }));
    const write = client.call({ message: 'Twrite', fid: 1, offset: 7n, data: new Uint8Array(5000) });
    expect((await rejection(write)).message).toBe('ENOSPC: Twrite fid 1 offset 7 data of 5000 bytes');
    const mkdir = client.call({ message: 'Tmkdir', dfid: 1, name: utf8('x'.repeat(300)), mode: 0, gid: 0 });
    expect((await rejection(mkdir)).message).toMatch(
      /^ENOSPC: Tmkdir dfid 1 name "x{80}"\.\.\. \(300 bytes\) mode 0/,
    );
  });

  test('tags are used in turn, and none that is still in use', async () => {
    const { peer, client } = connected();
    const held = client.call(clunk(0));
    const { tag: heldTag } = await peer.next('Tclunk');
    const seen = new Set<number>();
    peer.answerWith(({ tag }) => {
      seen.add(tag);
      return { message: 'Rclunk', tag };
    });
    for (let round = 0; round < 9; round++) {
      await Promise.all(Array.from({ length: 4096 }, (_, fid) => client.call(clunk(fid))));
    }
    expect(seen.has(heldTag)).toBe(false);
    expect(seen.size).toBe(32767);
    peer.send({ message: 'Rclunk', tag: heldTag });
    await held;
  });

  test('with all tags in use a request waits for one', async () => {
    const { peer, client } = connected();
    const calls = Array.from({ length: 32769 }, (_, fid) => client.call(clunk(fid)));
    await settled();
    expect(peer.unread.length).toBe(32768);
    const { tag } = await peer.next('Tclunk');
    peer.send({ message: 'Rclunk', tag });
    await settled();
    expect(peer.unread.length).toBe(32768);
    expect(peer.unread.at(-1)?.tag).toBe(tag);
    client.close();
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1);
  });

  test('waits for the stream to drain', async () => {
    const { peer, client } = connected();
    peer.takesMore = false;
    const first = client.call(clunk(1));
    await settled();
    const second = client.call(clunk(2));
    await settled();
    expect(peer.unread.length).toBe(1);
    peer.drain();
    expect(peer.unread.length).toBe(2);
    for (const { tag } of [...peer.unread]) peer.send({ message: 'Rclunk', tag });
    await Promise.all([first, second]);
  });

  test('a request that cannot be encoded, or is larger than msize, rejects and sends nothing', async () => {
    const { peer, client } = connected({ msize: 100 });
    expect(await rejection(client.call(clunk(-1)))).toBeInstanceOf(WireError);
    const large = await rejection(
      client.call({ message: 'Twrite', fid: 1, offset: 0n, data: new Uint8Array(78) }),
    );
    expect(large).toMatchObject({ code: 'ERR_P9_FRAME_SIZE' });
    expect(large.message).toBe('Twrite at byte 0: expected at most 100 bytes (msize), found 101');
    await settled();
    expect(peer.writes).toBe(0);
    void client.call({ message: 'Twrite', fid: 1, offset: 0n, data: new Uint8Array(77) });
    await peer.next('Twrite');
  });
});

describe('negotiate', () => {
  const version = (tag: number, msize: number, text = '9P2000.L'): Message => {
    return { message: 'Rversion', tag, msize, version: utf8(text) };
  };

  test('asks without a tag, and takes the msize that the server settles on', async () => {
    const { peer, client } = connected({ msize: 65536 });
    const negotiated = client.negotiate();
    expect(await peer.next('Tversion')).toStrictEqual({
      message: 'Tversion',
      tag: NOTAG,
      msize: 65536,
      version: utf8('9P2000.L'),
    });
    peer.send(version(NOTAG, 8192));
    expect(await negotiated).toBe(8192);
    expect(client.msize).toBe(8192);
  });

  test.each([
    ['another version', 8192, '9P2000.u', 'the peer speaks "9P2000.u", not 9P2000.L'],
    ['no version', 8192, 'unknown', 'the peer speaks "unknown", not 9P2000.L'],
    ['more than was asked for', 65537, '9P2000.L', 'msize 65537, which is not from 4096 to 65536'],
    ['too little to work with', 4095, '9P2000.L', 'msize 4095, which is not from 4096 to 65536'],
  ])('%s ends the connection', async (_, msize, text, message) => {
    const { peer, client } = connected({ msize: 65536 });
    const negotiated = client.negotiate();
    await peer.next('Tversion');
    peer.send(version(NOTAG, msize, text));
    const error = await rejection(negotiated);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.code).toBe('ERR_P9_VERSION');
    expect(error.message).toContain(message);
    expect(peer.destroyed).toBe(true);
    expect(await client.closed).toBe(error);
  });

  test('cancelled, it takes the connection with it', async () => {
    const { peer, client } = connected();
    const cancel = new AbortController();
    const negotiated = client.negotiate({ signal: cancel.signal });
    await peer.next('Tversion');
    cancel.abort(new Error('enough'));
    expect((await rejection(negotiated)).message).toBe('enough');
    expect(await client.closed).toMatchObject({ code: 'ERR_P9_CLOSED' });
    expect(peer.destroyed).toBe(true);
  });
});

describe('cancelling, by flush(5)', () => {
  async function reading() {
    const { peer, client } = connected();
    const cancel = new AbortController();
    const call = client.call({ message: 'Tread', fid: 1, offset: 0n, count: 1 }, { signal: cancel.signal });
    const { tag } = await peer.next('Tread');
    return { peer, client, cancel, call, tag };
  }

  test('a signal that has aborted before: nothing is sent', async () => {
    const { peer, client } = connected();
    const reason = new Error('too late');
    expect(await rejection(client.call(clunk(1), { signal: AbortSignal.abort(reason) }))).toBe(reason);
    await settled();
    expect(peer.writes).toBe(0);
  });

  test('before the request was sent: it never is', async () => {
    const { peer, client } = connected();
    const cancel = new AbortController();
    const call = client.call(clunk(1), { signal: cancel.signal });
    cancel.abort();
    expect(await rejection(call)).toMatchObject({ name: 'AbortError' });
    await settled();
    expect(peer.writes).toBe(0);
    expect(client.pending).toBe(0);
  });

  test('Tflush is sent, and the call rejects with the reason when Rflush comes', async () => {
    const { peer, client, cancel, call, tag } = await reading();
    let isSettled = false;
    call
      .catch(() => {})
      .finally(() => {
        isSettled = true;
      });
    cancel.abort(new Error('enough'));
    const flush = await peer.next('Tflush');
    expect(flush.oldtag).toBe(tag);
    expect(flush.tag).not.toBe(tag);
    await settled();
    expect(isSettled).toBe(false);
    peer.send({ message: 'Rflush', tag: flush.tag });
    expect((await rejection(call)).message).toBe('enough');
    await settled();
    expect(client.pending).toBe(0);
  });

  test('a reply that comes before Rflush counts, and the tag is not used again until Rflush', async () => {
    const { peer, client, cancel, call, tag } = await reading();
    cancel.abort();
    const flush = await peer.next('Tflush');
    peer.send({ message: 'Rread', tag, data: utf8('x') });
    expect((await call).data).toStrictEqual(utf8('x'));
    expect(client.pending).toBe(2);
    // All other tags, once around: the one being flushed is not among them.
    const seen = new Set<number>();
    peer.answerWith((request) => {
      seen.add(request.tag);
      return { message: 'Rclunk', tag: request.tag };
    });
    for (let round = 0; round < 9; round++) {
      await Promise.all(Array.from({ length: 4096 }, (_, fid) => client.call(clunk(fid))));
    }
    expect(seen.has(tag)).toBe(false);
    peer.send({ message: 'Rflush', tag: flush.tag });
    await settled();
    expect(client.pending).toBe(0);
  });

  test('an error that comes before Rflush counts too', async () => {
    const { peer, cancel, call, tag } = await reading();
    cancel.abort();
    const flush = await peer.next('Tflush');
    peer.send({ message: 'Rlerror', tag, ecode: 4 }, { message: 'Rflush', tag: flush.tag });
    expect((await rejection(call)).code).toBe('EINTR');
  });

  test('a server without Tflush: the call ends with its reply', async () => {
    const { peer, client, cancel, call, tag } = await reading();
    cancel.abort();
    const flush = await peer.next('Tflush');
    peer.send({ message: 'Rlerror', tag: flush.tag, ecode: 95 });
    await settled();
    expect(client.pending).toBe(1);
    peer.send({ message: 'Rread', tag, data: utf8('x') });
    expect((await call).data).toStrictEqual(utf8('x'));
    expect(client.pending).toBe(0);
  });

  test('a signal that aborts after the reply does nothing', async () => {
    const { peer, client, cancel, call, tag } = await reading();
    peer.send({ message: 'Rread', tag, data: utf8('x') });
    await call;
    cancel.abort();
    await settled();
    expect(peer.unread).toStrictEqual([]);
    expect(client.pending).toBe(0);
  });

  test('is possible with all tags in use', async () => {
    const { peer, client } = connected();
    const cancels = Array.from({ length: 32768 }, () => new AbortController());
    const calls = cancels.map(({ signal }, fid) => client.call(clunk(fid), { signal }));
    const outcomes = Promise.allSettled(calls);
    await settled();
    peer.answerWith(({ tag }) => ({ message: 'Rflush', tag }));
    for (const cancel of cancels) cancel.abort();
    expect((await outcomes).every(({ status }) => status === 'rejected')).toBe(true);
    await settled();
    expect(client.pending).toBe(0);
  });
});

describe('the end of the connection', () => {
  test.each<[string, (peer: ScriptedPeer, client: RawClient) => void, string, string]>([
    [
      'the peer ends the stream',
      (peer) => peer.emit('end'),
      'ERR_P9_STREAM_END',
      'the peer ended the stream after 0 bytes of replies',
    ],
    [
      'the stream closes',
      (peer) => peer.emit('close'),
      'ERR_P9_STREAM_END',
      'the stream was closed after 0 bytes of replies',
    ],
    [
      'the stream fails',
      (peer) => peer.emit('error', new Error('ECONNRESET')),
      'ERR_P9_STREAM',
      'the stream failed: ECONNRESET',
    ],
    [
      'this side closes',
      (_, client) => client.close(),
      'ERR_P9_CLOSED',
      'the connection was closed on this side',
    ],
  ])('%s: everything pending rejects, and what comes after', async (_, end, code, message) => {
    const { peer, client } = connected();
    const calls = [client.call(clunk(1)), client.exchange(encode({ message: 'Tclunk', tag: 40000, fid: 2 }))];
    await settled();
    peer.takesMore = false;
    calls.push(client.call(clunk(3)));
    await settled();
    calls.push(client.call(clunk(4)));
    const errors = Promise.all(calls.map(rejection));
    end(peer, client);
    for (const error of await errors) expect(error).toMatchObject({ name: 'ConnectionError', code, message });
    expect(await rejection(client.call(clunk(5)))).toMatchObject({ code });
    expect(await rejection(client.exchange(encode({ message: 'Tclunk', tag: 1, fid: 2 })))).toMatchObject({
      code,
    });
    expect(await client.closed).toMatchObject({ code });
    expect(peer.destroyed).toBe(true);
    expect(client.pending).toBe(0);
    const { writes } = peer;
    client.sendBytes(new Uint8Array(7));
    expect(peer.writes).toBe(writes);
  });

  test('in the middle of a message: it says how far that came', async () => {
    const { peer, client } = connected();
    const call = client.call(clunk(1));
    await peer.next('Tclunk');
    peer.sendBytes(new Uint8Array([7, 0, 0]));
    peer.emit('end');
    expect((await rejection(call)).message).toBe(
      'the peer ended the stream after 0 bytes of replies, in the middle of a message: 3 of at least 7 bytes',
    );
  });

  test('the error of the stream is the cause', async () => {
    const { peer, client } = connected();
    const cause = new Error('EPIPE');
    peer.emit('error', cause);
    expect((await client.closed).cause).toBe(cause);
  });

  test('a stream whose write throws has failed', async () => {
    const { peer, client } = connected();
    peer.write = () => {
      throw new Error('port is gone');
    };
    expect(await rejection(client.call(clunk(1)))).toMatchObject({ code: 'ERR_P9_STREAM' });
  });

  test('a Node stream is accepted as it is', async () => {
    const stream: DuplexLike = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const client = new RawClient(stream);
    const call = client.call(clunk(1));
    client.close();
    expect(await rejection(call)).toMatchObject({ code: 'ERR_P9_CLOSED' });
  });
});

describe('what is no reply ends the connection', () => {
  test.each<[string, (tag: number) => Uint8Array, RegExp]>([
    [
      'an unknown tag',
      (tag) => encode({ message: 'Rclunk', tag: tag + 1 }),
      /Rclunk with tag \d+: no request has this tag$/,
    ],
    [
      'the reply to another request',
      (tag) => encode({ message: 'Rremove', tag }),
      /Rremove with tag \d+: not the reply to Tclunk$/,
    ],
    [
      'a request',
      (tag) => encode({ message: 'Tclunk', tag, fid: 1 }),
      /Tclunk with tag \d+: not the reply to Tclunk$/,
    ],
    [
      'a type that does not exist',
      (tag) => new Uint8Array([7, 0, 0, 0, 200, tag, 0]),
      /expected the type of a 9P2000.L message, found 200/,
    ],
    [
      'bytes too many',
      (tag) => new Uint8Array([8, 0, 0, 0, 121, tag, 0, 0]),
      /Rclunk at byte 7: expected the end of the frame/,
    ],
    [
      'bytes too few',
      (tag) => new Uint8Array([9, 0, 0, 0, 7, tag, 0, 0, 0]),
      /Rlerror.ecode at byte 7: expected 4 bytes, found 2 left/,
    ],
    [
      'a frame beyond msize',
      () => new Uint8Array([1, 0, 2, 0]),
      /expected a size from 7 to 131072 \(msize\), found 131073/,
    ],
    [
      'a frame shorter than a header',
      () => new Uint8Array([6, 0, 0, 0]),
      /expected a size from 7 to 131072 \(msize\), found 6/,
    ],
  ])('%s', async (_, bytes, message) => {
    const { peer, client } = connected();
    const first = client.call(clunk(1));
    peer.send({ message: 'Rclunk', tag: (await peer.next('Tclunk')).tag });
    await first;
    const call = client.call(clunk(2));
    const { tag } = await peer.next('Tclunk');
    peer.sendBytes(bytes(tag));
    const error = await rejection(call);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.code).toBe('ERR_P9_BAD_REPLY');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^bad reply at byte 7 of the stream: /);
    expect(peer.destroyed).toBe(true);
  });

  test('a second reply while the first is being flushed', async () => {
    const { peer, client } = connected();
    const cancel = new AbortController();
    const call = client.call(clunk(1), { signal: cancel.signal });
    const { tag } = await peer.next('Tclunk');
    cancel.abort();
    await peer.next('Tflush');
    peer.send({ message: 'Rclunk', tag });
    await call;
    peer.send({ message: 'Rclunk', tag });
    expect((await client.closed).message).toMatch(/Tclunk was answered before$/);
  });

  test('what comes behind it is not looked at', async () => {
    const { peer, client } = connected();
    const call = client.call(clunk(1));
    const { tag } = await peer.next('Tclunk');
    peer.sendBytes(
      new Uint8Array([...encode({ message: 'Rclunk', tag: tag + 1 }), ...encode({ message: 'Rclunk', tag })]),
    );
    expect(await rejection(call)).toMatchObject({ code: 'ERR_P9_BAD_REPLY' });
  });
});

describe("frames of one's own", () => {
  test('go out as they are, and what answers their tag comes back, errors as well', async () => {
    const { peer, client } = connected();
    const frame = new Uint8Array([11, 0, 0, 0, 120, 0x34, 0x92, 1, 0, 0, 0]);
    const exchange = client.exchange(frame);
    expect((await peer.next('Tclunk')).tag).toBe(0x9234);
    peer.send({ message: 'Rlerror', tag: 0x9234, ecode: 22 });
    expect(await exchange).toStrictEqual({ message: 'Rlerror', tag: 0x9234, ecode: 22 });
  });

  test('may not use a tag in use', async () => {
    const { peer, client } = connected();
    const frame = encode({ message: 'Tclunk', tag: 7, fid: 1 });
    const first = client.exchange(frame);
    expect(await rejection(client.exchange(frame))).toBeInstanceOf(RangeError);
    peer.send({ message: 'Rclunk', tag: 7 });
    expect(await first).toMatchObject({ message: 'Rclunk' });
  });

  test('must have a tag', async () => {
    expect(await rejection(connected().client.exchange(new Uint8Array(6)))).toBeInstanceOf(RangeError);
  });
});
