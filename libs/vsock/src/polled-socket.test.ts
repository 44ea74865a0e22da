import { once } from 'node:events';
import { Agent, createServer as createHttp, request } from 'node:http';
import { text } from 'node:stream/consumers';
import * as linux from '@vm-tools/linux';
import { describe, expect, it } from 'vitest';
import { noMoreThan, openDescriptors, until } from '../test/fake-vm.ts';
import type { AdoptOptions } from './index.ts';
import { PolledSocket } from './polled-socket.ts';

const { AF_UNIX, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;

function pair(options: AdoptOptions = {}): [PolledSocket, PolledSocket] {
  const [a, b] = linux.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  return [new PolledSocket(a, options), new PolledSocket(b, options)];
}

describe('a socket that polls', () => {
  it('carries both directions, and closes when both have ended', async () => {
    const before = openDescriptors();
    const [a, b] = pair({ allowHalfOpen: true });
    const ended = Promise.all([once(a, 'close'), once(b, 'close')]);
    const chunks: Buffer[] = [];
    b.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => b.end('answer'));
    const answers: Buffer[] = [];
    a.on('data', (chunk: Buffer) => answers.push(chunk));
    a.end(Buffer.alloc(1_000_000, 'q'));
    await ended;
    expect(Buffer.concat(chunks).equals(Buffer.alloc(1_000_000, 'q'))).toBe(true);
    expect(Buffer.concat(answers).toString()).toBe('answer');
    expect(a).toMatchObject({ bytesWritten: 1_000_000, bytesRead: 6, readyState: 'closed' });
    await noMoreThan(before);
  });

  it('ends with its peer, though nobody reads it', async () => {
    const [a, b] = pair();
    a.end();
    await Promise.all([once(b, 'close'), once(a, 'close')]);
  });

  it('holds a writer up while nobody reads', async () => {
    const [a, b] = pair();
    const chunk = Buffer.alloc(65_536);
    while (a.write(chunk));
    expect(a.bufferSize).toBeGreaterThan(0);
    b.resume();
    await once(a, 'drain');
    a.destroySoon();
    await Promise.all([once(a, 'close'), once(b, 'close')]);
    expect(b.bytesRead).toBe(a.bytesWritten);
  });

  it('receives into one buffer, as long as it is not told to stop', async () => {
    const buffer = Buffer.alloc(16);
    let received = '';
    let goesOn = false;
    const callback = (count: number) => {
      received += buffer.toString('latin1', 0, count);
      return goesOn;
    };
    const [a, b] = pair();
    const [c, d] = linux.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    const reader = new PolledSocket(c, { onread: { buffer, callback } });
    const writer = new PolledSocket(d);
    writer.write('first');
    await until(() => received === 'first');
    goesOn = true;
    writer.end('second');
    reader.resume();
    await once(reader, 'close');
    expect(received).toBe('firstsecond');
    for (const each of [a, b]) each.destroy();
  });

  it('tells errors, and time-outs', async () => {
    const [a, b] = pair({ allowHalfOpen: true });
    const timedOut = once(a, 'timeout');
    a.setTimeout(5);
    await timedOut;
    a.setTimeout(0);
    const failed = once(a, 'error') as Promise<[linux.SystemError]>;
    b.destroy();
    a.write('x');
    expect((await failed)[0]).toMatchObject({ code: 'EPIPE', syscall: 'write' });
    expect(a.destroyed).toBe(true);
  });

  it('is good enough for node:http', async () => {
    const web = createHttp((message, response) => void message.pipe(response));
    const [a, b] = pair({ allowHalfOpen: true });
    web.emit('connection', a);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => b;
    for (const body of ['one', 'two']) {
      const asked = request({ agent, method: 'POST', headers: { 'content-length': 3 } });
      asked.end(body);
      const [response] = await once(asked, 'response');
      expect(await text(response)).toBe(body);
    }
    agent.destroy();
    a.destroy();
  });
});
