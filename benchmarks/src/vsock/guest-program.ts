// Runs in a guest with vsock_loopback: times the work over AF_VSOCK and over a Unix socket, by Node.js and by C in turns, and prints
// each as a line of JSON. Arguments: the C program, mebibytes of a transfer, bounces, rounds.

import { once } from 'node:events';
import { connect as connectNet } from 'node:net';
import { Cid, connect } from '@vm-tools/vsock';
import { type Open, startServer, timeOf, timeOfC, type Work } from './transfers.ts';

const [program = '', mebibytes, bounces, rounds] = process.argv.slice(2);
const PORT = 9000;
const PATH = '/tmp/stream.sock';
const works: readonly Work[] = ['send', 'receive', 'receive-onread', 'bounce'];

const ends: readonly { kind: 'vsock' | 'unix'; address: readonly string[]; open: Open }[] = [
  {
    kind: 'vsock',
    address: ['vsock', String(PORT)],
    open: (options) => connect({ cid: Cid.local, port: PORT, ...options }),
  },
  {
    kind: 'unix',
    address: ['unix', PATH],
    open: async (options) => {
      const socket = connectNet({ path: PATH, ...options });
      await once(socket, 'connect');
      return socket;
    },
  },
];
const amountOf = (work: Work) => (work === 'bounce' ? Number(bounces) : Number(mebibytes) << 20);

for (const { address } of ends) await startServer(program, address);
// What Node.js compiles, it compiles before.
for (const { open } of ends)
  for (const work of works) await timeOf(work, open, amountOf(work) >> (work === 'bounce' ? 0 : 2));
for (let round = 0; round < Number(rounds); round++) {
  for (const work of works) {
    for (const { kind, address, open } of ends) {
      const amount = amountOf(work);
      const c = timeOfC(program, work === 'receive-onread' ? 'receive' : (work as 'send'), address, amount);
      const node = await timeOf(work, open, amount);
      process.stdout.write(`${JSON.stringify({ work, kind, round, amount, c, node })}\n`);
    }
  }
}
process.exit();
