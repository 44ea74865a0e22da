import type { Lock, RemoteFile } from '../client/remote-file.ts';
import { Errno } from '../errno.ts';
import { LockStatus, LockType, OpenFlags } from '../wire/flags.ts';
import * as assert from './assert.ts';
import { ask, askForError, check as checkOf, exchange, type Subject, utf8 } from './check.ts';

/** Tlock and Tgetlock: record locks of processes, as fcntl(2) describes them. */

const check = (name: string, run: (subject: Subject) => Promise<void>) => checkOf(name, run, 'lock');

const { read, write, unlock } = LockType;
const { success, blocked } = LockStatus;

/** An open file, locked in the name of a process of the client. */
class Process {
  readonly file: RemoteFile;
  readonly #procId: number;

  constructor(file: RemoteFile, procId: number) {
    this.file = file;
    this.#procId = procId;
  }

  lock(type: number, range: Omit<Lock, 'type'> = {}): Promise<number> {
    return this.file.lock({ type, procId: this.#procId, clientId: 'client', ...range });
  }

  getlock(type: number, range: Omit<Lock, 'type'> = {}) {
    return this.file.getlock({ type, procId: this.#procId, clientId: 'client', ...range });
  }
}

/** The same file, opened by several processes. */
async function processes({ root }: Subject, ...procIds: number[]): Promise<Process[]> {
  await root.writeFile('a', utf8('0123456789'));
  return Promise.all(
    procIds.map(async (id) => new Process(await root.open('a', { flags: OpenFlags.readWrite }), id)),
  );
}

async function two(subject: Subject, procIds: [number, number] = [1, 2]): Promise<[Process, Process]> {
  return (await processes(subject, ...procIds)) as [Process, Process];
}

const clunk = (...all: Process[]) => Promise.all(all.map(({ file }) => file.clunk()));

export const lockChecks = [
  check('a write lock keeps other processes out until it is given up', async (subject) => {
    const [a, b] = await two(subject);
    assert.equal(await a.lock(write), success);
    assert.equal(await b.lock(write), blocked);
    assert.equal(await b.lock(read), blocked);
    assert.equal(await a.lock(unlock), success);
    assert.equal(await b.lock(write), success);
    await clunk(a, b);
  }),

  check('processes of the same number on other clients are others', async (subject) => {
    const [a, b] = await two(subject, [1, 1]);
    assert.equal(await a.lock(write, { clientId: 'one' }), success);
    assert.equal(await b.lock(write, { clientId: 'other' }), blocked);
    await clunk(a, b);
  }),

  check('a process is not kept out by its own locks, however often it opened the file', async (subject) => {
    const [a, b] = await two(subject, [1, 1]);
    assert.equal(await a.lock(write), success);
    assert.equal(await b.lock(write), success);
    assert.equal(await b.lock(read), success);
    await clunk(a, b);
  }),

  check('read locks are shared, and keep writers out', async (subject) => {
    const [a, b] = await two(subject);
    assert.equal(await a.lock(read), success);
    assert.equal(await b.lock(read), success);
    assert.equal(await b.lock(write), blocked);
    await clunk(a);
    assert.equal(await b.lock(write), success);
    await clunk(b);
  }),

  check('locks of parts that do not touch are independent', async (subject) => {
    const [a, b] = await two(subject);
    assert.equal(await a.lock(write, { start: 0n, length: 5n }), success);
    assert.equal(await b.lock(write, { start: 5n, length: 5n }), success);
    assert.equal(await b.lock(write, { start: 4n, length: 1n }), blocked);
    assert.equal(await a.lock(write, { start: 9n, length: 0n }), blocked);
    assert.equal(await a.lock(unlock, { start: 4n, length: 1n }), success);
    assert.equal(await b.lock(write, { start: 4n, length: 1n }), success);
    await clunk(a, b);
  }),

  check('getlock tells what stands in the way', async (subject) => {
    const [a, b] = await two(subject);
    const part = { start: 2n, length: 4n };
    assert.equal((await b.getlock(write, part)).type, unlock);
    assert.equal(await a.lock(write, { start: 3n, length: 2n }), success);
    const { type, start, length } = await b.getlock(write, part);
    assert.deepEqual({ type, start, length }, { type: write, start: 3n, length: 2n });
    assert.equal((await b.getlock(read, { start: 5n, length: 1n })).type, unlock);
    assert.equal((await a.getlock(write, part)).type, unlock);
    await clunk(a);
    assert.equal((await b.getlock(write, part)).type, unlock);
    await clunk(b);
  }),

  check("a clunk gives its fid's locks up", async (subject) => {
    const [a, b] = await two(subject);
    assert.equal(await a.lock(write), success);
    assert.equal(await b.lock(write), blocked);
    await clunk(a);
    assert.equal(await b.lock(write), success);
    await clunk(b);
  }),

  check('many processes, each with a part of its own', async (subject) => {
    const all = await processes(subject, ...Array.from({ length: 50 }, (_, index) => index + 1));
    const lock = (process: Process, at: number) => process.lock(write, { start: BigInt(at), length: 1n });
    assert.deepEqual(new Set(await Promise.all(all.map(lock))), new Set([success]));
    const next = (process: Process, at: number) => lock(process, (at + 1) % all.length);
    assert.deepEqual(new Set(await Promise.all(all.map(next))), new Set([blocked]));
    await clunk(...all);
  }),

  check('a lock takes an open file, and a type that exists', async (subject) => {
    const { client, root } = subject;
    const [a, b] = await two(subject);
    const node = await root.walk('a');
    const { fid } = a.file;
    const lock = { type: 0, flags: 0, start: 0n, length: 0n, procId: 1, clientId: utf8('c') };
    assert.equal(await askForError(client, { message: 'Tlock', fid: node.fid, ...lock }), Errno.EBADF);
    assert.equal(await askForError(client, { message: 'Tlock', fid, ...lock, type: 3 }), Errno.EINVAL);
    assert.equal(await askForError(client, { message: 'Tlock', fid, ...lock, flags: 4 }), Errno.EINVAL);
    const { flags: _, ...getlock } = lock;
    assert.equal(await askForError(client, { message: 'Tgetlock', fid, ...getlock, type: 3 }), Errno.EINVAL);
    await node.clunk();
    await clunk(a, b);
  }),

  check('the name of a client comes back as it was; bytes that are not UTF-8 do no harm', async (subject) => {
    const { client } = subject;
    const [a, b] = await two(subject);
    const getlock = (clientId: Uint8Array) => {
      const where = { fid: a.file.fid, type: 1, start: 1n, length: 2n, procId: 9, clientId };
      return ask(client, { message: 'Tgetlock', ...where }, 'Rgetlock');
    };
    for (const clientId of [utf8('a client'), utf8(''), utf8('grün'), utf8('n'.repeat(3000))]) {
      const reply = await getlock(clientId);
      assert.equal(reply.type, unlock);
      assert.deepEqual(reply.clientId, clientId);
    }
    for (const length of [1, 4000, client.msize - 100]) {
      const { message } = await exchange(client, {
        message: 'Tgetlock',
        fid: a.file.fid,
        type: 1,
        start: 1n,
        length: 2n,
        procId: 9,
        clientId: new Uint8Array(Math.min(length, 65535)).fill(0xff),
      });
      assert.ok(message === 'Rgetlock' || message === 'Rlerror', message);
    }
    await clunk(a, b);
  }),
];
