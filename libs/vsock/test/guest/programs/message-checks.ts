import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Cid,
  connectSeqpacket,
  listenSeqpacket,
  type MessageSocket,
  openDatagramSocket,
  VsockError,
} from '@vm-tools/vsock';
import { freePort } from './ends.ts';

const fails = (code: string) => (error: unknown) =>
  assert.ok(error instanceof VsockError && error.code === code, `${error}`) ?? true;

async function pair(): Promise<Disposable & { a: MessageSocket; b: MessageSocket }> {
  const port = freePort();
  using listener = listenSeqpacket({ cid: Cid.local, port });
  const accepting = listener.accept();
  const a = await connectSeqpacket({ cid: Cid.local, port });
  const b = await accepting;
  return {
    a,
    b,
    [Symbol.dispose]: () => {
      a.close();
      b.close();
    },
  };
}

/** What holds of messages over the loopback of a guest. */
export const messageChecks: Readonly<Record<string, () => Promise<void>>> = {
  'seqpacket keeps messages apart, also when they have to wait for room': async () => {
    using ends = await pair();
    const sizes = [1, 100_000, 5, 65_536, 131_072, 99_999, 7, 200_000, 262_144, 65_535, 65_537];
    const sending = Promise.all(sizes.map((size, index) => ends.a.send(Buffer.alloc(size, index))));
    // The first ones fill what there is; the kernel would cut the next one and glue it to another.
    await sleep(50);
    for (const [index, size] of sizes.entries()) {
      const message = await ends.b.receive();
      assert.equal(message?.length, size);
      assert.ok(message.equals(Buffer.alloc(size, index)));
    }
    await sending;
  },

  'seqpacket goes both ways, ends one way and knows its peer': async () => {
    using ends = await pair();
    assert.equal(ends.a.peer.kind === 'vsock' && ends.a.peer.cid, Cid.local);
    assert.equal(ends.b.peer.kind === 'vsock' && ends.b.peer.cid, Cid.local);
    await ends.a.send(Buffer.from('question'));
    await ends.a.end();
    assert.equal(String(await ends.b.receive()), 'question');
    assert.equal(await ends.b.receive(), undefined);
    for (const word of ['some', 'answers']) await ends.b.send(Buffer.from(word));
    await ends.b.end();
    const answers: string[] = [];
    for await (const message of ends.a) answers.push(String(message));
    assert.deepEqual(answers, ['some', 'answers']);
  },

  'a message that is empty or too long is refused, and the next one is whole': async () => {
    using ends = await pair();
    await assert.rejects(ends.a.send(Buffer.alloc(0)), fails('ERR_MESSAGE_SIZE'));
    await assert.rejects(ends.a.send(Buffer.alloc(262_145)), fails('ERR_MESSAGE_SIZE'));
    await ends.a.send(Buffer.from('fits'));
    assert.equal(String(await ends.b.receive()), 'fits');
  },

  'closing a seqpacket socket tells who waits to send and to receive': async () => {
    using ends = await pair();
    const sends = Array.from({ length: 6 }, () =>
      ends.a.send(Buffer.alloc(100_000)).then(
        () => 'sent',
        (error: VsockError) => error.code,
      ),
    );
    const receiving = ends.a.receive();
    await sends[0];
    await sleep(20);
    ends.a.close();
    await assert.rejects(receiving, fails('ERR_CLOSED'));
    const results = await Promise.all(sends);
    assert.equal(results.at(-1), 'ERR_CLOSED');
    await assert.rejects(ends.a.receive(), fails('ERR_CLOSED'));
    const reason = new Error('enough');
    const aborted = new AbortController();
    using others = await pair();
    const waiting = others.a.receive({ signal: aborted.signal });
    aborted.abort(reason);
    await assert.rejects(waiting, reason);
    await others.b.send(Buffer.from('after'));
    assert.equal(String(await others.a.receive()), 'after');
  },

  'a seqpacket listener that closes tells who waits, and admits by CID': async () => {
    const port = freePort();
    const listener = listenSeqpacket({ cid: Cid.local, port, acceptCids: [3] });
    const waiting = listener.accept();
    const client = await connectSeqpacket({ cid: Cid.local, port });
    assert.equal(await client.receive(), undefined);
    client.close();
    listener.close();
    await assert.rejects(waiting, fails('ERR_CLOSED'));
    await assert.rejects(connectSeqpacket({ cid: Cid.local, port }), fails('ECONNRESET'));
  },
};

/** With VMware's transport, which has datagrams between programs of one host: its CID is 2. */
export const datagramChecks: Readonly<Record<string, () => Promise<void>>> = {
  'datagrams arrive whole, and know their sender': async () => {
    using to = openDatagramSocket({ port: 7000 });
    using from = openDatagramSocket();
    assert.deepEqual(to.address, { kind: 'vsock', cid: Cid.any, port: 7000 });
    const receiving = to.receive();
    await from.send(Buffer.from('hello'), { cid: Cid.host, port: 7000 });
    const { message, from: sender } = await receiving;
    assert.equal(String(message), 'hello');
    assert.deepEqual(sender, { cid: Cid.host, port: from.address.kind === 'vsock' && from.address.port });
    for (const size of [1, 4096, 60_000]) {
      await from.send(Buffer.alloc(size, size), { cid: Cid.host, port: 7000 });
      assert.ok((await to.receive()).message.equals(Buffer.alloc(size, size)));
    }
    const waiting = to.receive();
    to.close();
    await assert.rejects(waiting, fails('ERR_CLOSED'));
  },
};

/** Without such a transport. */
export const noDatagramChecks: Readonly<Record<string, () => Promise<void>>> = {
  'datagrams are refused with what to do': async () => {
    assert.throws(() => openDatagramSocket({ port: 7000 }), fails('ENODEV'));
    assert.throws(() => openDatagramSocket({ port: 7000 }), /use seqpacket sockets/);
  },
};
