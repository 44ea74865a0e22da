import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, type RemoteNode } from '@vm-tools/p9-protocol';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { passing, staying } from './hostile.ts';
import { Bench, type NineS } from './nine-s.ts';
import { hello, receive } from './wire.ts';

const CLIENTS = 400;
const HOSTILE = 100;
/** Further ones that are cut off, in each round. */
const GARBAGE = 20;
const ROUNDS = 3;
const MOST_BYTES = 400e6;

let bench: Bench;

// What was built from these very sources is left alone.
beforeAll(() => {
  const script = fileURLToPath(new URL('../../../scripts/build.ts', import.meta.url));
  execFileSync(process.execPath, [script, '@vm-tools/9s', '@vm-tools/p9-protocol', '@vm-tools/linux']);
});
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clear());

it('9s as it is published serves, refuses and ends as its sources do', async () => {
  const args = ['--root', bench.root, bench.listen];
  const nineS = bench.start(args, { from: 'build' });
  await nineS.logged('listening');
  const client = await Client.connect({ stream: await bench.connect() });
  const root = await client.attach();
  expect(new TextDecoder().decode(await root.readFile('hello'))).toBe('hello, guest\n');
  expect(await bench.start(args, { from: 'build' }).ended).toMatchObject({ code: 69, stdout: '' });
  expect(await bench.start(['--nonsense'], { from: 'build' }).ended).toMatchObject({ code: 64, stdout: '' });
  expect(await nineS.terminate()).toMatchObject({ code: 0, signal: null, stdout: '' });
  expect(readdirSync(bench.folder)).toEqual(['root']);
});

/** The most memory that it has ever had, in bytes. */
function peakOf({ child: { pid } }: NineS): number {
  const kib = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kib) * 1024;
}

/** Writes, reads back and looks at a file of its own. */
async function work(root: RemoteNode, index: number): Promise<void> {
  const name = `file-${index}`;
  const content = Buffer.alloc(5000 + index, `${index} `);
  await root.writeFile(name, content);
  expect(Buffer.compare(await root.readFile(name), content)).toBe(0);
  expect((await root.getattr(name)).size).toBe(content.length);
  expect(Buffer.from(await root.readFile('hello')).toString()).toBe('hello, guest\n');
}

it(`${CLIENTS + HOSTILE} clients at once, ${HOSTILE} of them hostile: the others get what they ask for, in less than ${MOST_BYTES / 1e6} MB`, async () => {
  writeFileSync(join(bench.root, 'large'), Buffer.alloc(1 << 20, 'x'));
  const args = [
    '--root',
    bench.root,
    '--max-connections',
    String(CLIENTS + HOSTILE + ROUNDS * GARBAGE),
    bench.listen,
  ];
  const nineS = bench.start(args, { from: 'build' });
  await nineS.logged('listening');
  const connect = async () => {
    const socket = await bench.connect();
    // Who is not wanted may be cut off.
    socket.on('error', () => {});
    return socket;
  };
  // The hostile ones come first, so that they have the threads of their own.
  const unfriendly = Object.values(staying);
  const unwelcome = await Promise.all(Array.from({ length: HOSTILE }, connect));
  await Promise.all(unwelcome.map((socket, index) => unfriendly[index % unfriendly.length]?.(socket)));
  const clients = await Promise.all(
    Array.from(
      { length: CLIENTS },
      async () => await Client.connect({ stream: await connect(), msize: 1 << 20 }),
    ),
  );
  const roots = await Promise.all(clients.map((client) => client.attach()));
  await nineS.logged(`connected=${CLIENTS + HOSTILE}`);
  const kinds = Object.values(passing);
  for (let round = 0; round < ROUNDS; round++) {
    const attempts = Array.from({ length: GARBAGE }, async (_, index) =>
      kinds[index % kinds.length]?.(await connect()),
    );
    await Promise.all([...attempts, ...roots.map(work)]);
  }
  expect(peakOf(nineS)).toBeLessThan(MOST_BYTES);
  for (const client of clients) client.close();
  for (const socket of unwelcome) socket.destroy();
  expect(await nineS.terminate()).toMatchObject({ code: 0 });
});

it(`${CLIENTS} clients that come and go again and again take no more memory than the first ones`, async () => {
  const args = ['--root', bench.root, '--max-connections', String(2 * CLIENTS), bench.listen];
  const nineS = bench.start(args, { from: 'build' });
  await nineS.logged('listening');
  for (let round = 1; round <= 5; round++) {
    const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => bench.connect()));
    for (const socket of sockets) socket.write(hello);
    await Promise.all(sockets.map((socket) => receive(socket, 2)));
    for (const socket of sockets) socket.destroy();
    await nineS.logged('connection closed', CLIENTS * round);
  }
  expect(peakOf(nineS)).toBeLessThan(MOST_BYTES);
  expect(await nineS.terminate()).toMatchObject({ code: 0 });
});
