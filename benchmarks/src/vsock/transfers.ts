import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { OnReadOpts, Socket } from 'node:net';

/** As native/stream.c has it. */
const BUFFER = 65_536;
const MEBIBYTE = 1 << 20;

/** What a socket of Node.js, or a program in C, does with a server of native/stream.c. */
export type Work = 'send' | 'receive' | 'receive-onread' | 'bounce' | 'connect';

/** Opens a connection to the server. */
export type Open = (options: { readonly onread?: OnReadOpts }) => Promise<Socket>;

/** Seconds that the work takes Node.js, from the connection that is there to its end; `connect` times connections alone. */
export async function timeOf(work: Work, open: Open, amount: number): Promise<number> {
  switch (work) {
    case 'send':
      return await send(open, amount);
    case 'receive':
      return await receive(open, amount);
    case 'receive-onread':
      return await receiveInto(open, amount);
    case 'bounce':
      return await bounce(open, amount);
    case 'connect':
      return await connect(open, amount);
  }
}

/** The same of native/stream.c. */
export function timeOfC(
  program: string,
  work: 'send' | 'receive' | 'bounce' | 'open',
  address: readonly string[],
  amount: number,
): number {
  return Number(execFileSync(program, [work, ...address, String(amount)], { encoding: 'utf8' }));
}

/** Starts a server of native/stream.c; resolves when it listens. */
export async function startServer(program: string, address: readonly string[]): Promise<AsyncDisposable> {
  const child = spawn(program, ['serve', ...address], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    exited.then(() => Promise.reject(new Error(`stream serve ${address.join(' ')} ended`))),
  ]);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await exited;
    },
  };
}

const command = (letter: string, mebibytes = 0) => letter + String(mebibytes).padStart(7, '0');
const since = (start: number) => (performance.now() - start) / 1000;

async function send(open: Open, bytes: number): Promise<number> {
  const socket = await open({});
  const chunk = Buffer.alloc(BUFFER);
  const start = performance.now();
  socket.write(command('s'));
  for (let left = bytes; left > 0; left -= chunk.length)
    if (!socket.write(chunk)) await once(socket, 'drain');
  socket.end();
  await once(socket.resume(), 'end');
  return since(start);
}

async function receive(open: Open, bytes: number): Promise<number> {
  const socket = await open({});
  let received = 0;
  const start = performance.now();
  socket.on('data', (data: Buffer) => {
    received += data.length;
  });
  return await finish(socket, start, bytes, () => received);
}

async function receiveInto(open: Open, bytes: number): Promise<number> {
  let received = 0;
  const callback = (count: number) => {
    received += count;
    return true;
  };
  const socket = await open({ onread: { buffer: Buffer.alloc(BUFFER), callback } });
  return await finish(socket, performance.now(), bytes, () => received);
}

async function finish(socket: Socket, start: number, bytes: number, received: () => number): Promise<number> {
  socket.write(command('r', bytes / MEBIBYTE));
  await once(socket, 'end');
  const seconds = since(start);
  if (received() !== bytes) throw new Error(`${received()} of ${bytes} bytes came`);
  return seconds;
}

async function bounce(open: Open, count: number): Promise<number> {
  const socket = await open({});
  const byte = Buffer.alloc(1);
  const start = performance.now();
  socket.write(command('b'));
  await new Promise<void>((resolve, reject) => {
    let left = count;
    socket.on('error', reject).on('data', () => {
      if (--left === 0) resolve();
      else socket.write(byte);
    });
    socket.write(byte);
  });
  const seconds = since(start);
  socket.destroy();
  return seconds;
}

async function connect(open: Open, count: number): Promise<number> {
  let seconds = 0;
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    const socket = await open({});
    seconds += since(start);
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
  }
  // Served after all of them: none waits to be accepted when the next ones come.
  await bounce(open, 1);
  return seconds;
}
