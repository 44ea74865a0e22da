import { chmodSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Folder, noMoreThan, openDescriptors } from '../test/fake-vm.ts';
import { connectHybrid, dial, localOf, peerOf, type VsockError } from './index.ts';

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder[Symbol.asyncDispose]());

const failure = (connecting: Promise<unknown>) =>
  connecting.then(
    () => {
      throw new Error('connected');
    },
    (error: VsockError) => error,
  );

describe('connectHybrid', () => {
  it('asks for the port, and gives a net.Socket with both ends known', async () => {
    const path = await folder.vm((line, socket) => {
      socket.write('OK 1073741824\n');
      socket.end(`asked: ${line}`);
    });
    const socket = await connectHybrid({ path, port: 52 });
    expect(socket).toBeInstanceOf(Socket);
    expect(peerOf(socket)).toEqual({ kind: 'hybrid', path, port: 52 });
    expect(localOf(socket)).toEqual({ kind: 'hybrid', path, port: 52 });
    expect(await text(socket)).toBe('asked: CONNECT 52');
    expect(await text(await dial(`hybrid:${path}:4294967294`))).toBe('asked: CONNECT 4294967294');
  });

  it('keeps what follows the newline, and takes an answer in pieces', async () => {
    const path = await folder.vm((_, socket) => {
      socket.write('O');
      setImmediate(() => {
        socket.write('K 10');
        setImmediate(() => socket.end('24\nOK 5\nand more'));
      });
    });
    expect(await text(await connectHybrid({ path, port: 1 }))).toBe('OK 5\nand more');
  });

  it('receives into one buffer from the first byte on', async () => {
    const path = await folder.vm((_, socket) => socket.end('OK 1\nbytes'));
    const buffer = Buffer.alloc(64);
    const { promise, resolve } = Promise.withResolvers<string>();
    let received = '';
    const callback = (count: number) => {
      received += buffer.toString('latin1', 0, count);
      return true;
    };
    const socket = await connectHybrid({ path, port: 1, onread: { buffer, callback } });
    socket.on('close', () => resolve(received));
    expect(await promise).toBe('bytes');
  });

  it('carries both directions, half-open when asked', async () => {
    const path = await folder.vm((_, socket) => {
      socket.write('OK 1\n');
      socket.pipe(socket);
    });
    const socket = await connectHybrid({ path, port: 1, allowHalfOpen: true });
    const sent = Buffer.alloc(1_000_000, 'x');
    socket.end(sent);
    expect(await text(socket)).toBe(sent.toString());
  });

  it.each([
    ['a VM that closes', (socket: Socket) => socket.end(), 'ERR_HYBRID_REFUSED'],
    [
      'a VM that closes in the midst of its answer',
      (socket: Socket) => socket.end('OK 1'),
      'ERR_HYBRID_REFUSED',
    ],
    ['something else', (socket: Socket) => socket.end('HTTP/1.1 400\r\n\r\n'), 'ERR_HYBRID_PROTOCOL'],
    ['an OK without a number', (socket: Socket) => socket.end('OK \n'), 'ERR_HYBRID_PROTOCOL'],
    ['a line without an end', (socket: Socket) => socket.write('x'.repeat(5000)), 'ERR_HYBRID_PROTOCOL'],
    ['an empty line', (socket: Socket) => socket.write('\n'), 'ERR_HYBRID_PROTOCOL'],
  ])('refuses %s, and leaves nothing open', async (_, answer, code) => {
    const path = await folder.vm((__, socket) => void answer(socket));
    const before = openDescriptors();
    const error = await failure(connectHybrid({ path, port: 7 }));
    expect(error).toMatchObject({ name: 'VsockError', code, address: `hybrid:${path}:7` });
    await folder[Symbol.asyncDispose]();
    await noMoreThan(before);
  });

  it('does not wait for ever, nor longer than its signal', async () => {
    const path = await folder.vm(() => undefined);
    const late = await failure(connectHybrid({ path, port: 7, timeoutMs: 30 }));
    expect(late.message).toBe(
      `cannot connect to hybrid:${path}:7: no answer within 30 ms; see that the VM runs, or allow more time with timeoutMs`,
    );
    const abort = new AbortController();
    const connecting = failure(connectHybrid({ path, port: 7, signal: abort.signal, timeoutMs: 0 }));
    setImmediate(() => abort.abort(new Error('enough')));
    expect((await connecting).message).toBe('enough');
    const aborted = AbortSignal.abort(new Error('before'));
    expect((await failure(connectHybrid({ path, port: 7, signal: aborted }))).message).toBe('before');
  });

  it('says what to do where there is no VM', async () => {
    const error = await failure(connectHybrid({ path: join(folder.path, 'none'), port: 7 }));
    expect(error.code).toBe('ENOENT');
    expect(error.message).toContain('see that the path is right and the program which makes the socket runs');
  });

  it('refuses a socket that others could reach or replace, unless that is wanted', async () => {
    const path = await folder.vm((_, socket) => socket.end('OK 1\nhello'));
    chmodSync(path, 0o777);
    expect(await failure(connectHybrid({ path, port: 7 }))).toMatchObject({
      code: 'ERR_NOT_PRIVATE',
      problem: `other users may connect to ${path}`,
    });
    chmodSync(path, 0o755);
    expect(await text(await connectHybrid({ path, port: 7 }))).toBe('hello');
    chmodSync(folder.path, 0o777);
    expect(await failure(connectHybrid({ path, port: 7 }))).toMatchObject({ code: 'ERR_NOT_PRIVATE' });
    expect(await text(await connectHybrid({ path, port: 7, allowAnyUser: true }))).toBe('hello');
  });
});
