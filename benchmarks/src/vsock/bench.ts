import { bootGuest } from '@vm-tools/guest';
import { parseValues, UsageError } from '../command-line.ts';
import { rpcProgram, rpcRows } from '../rpc/rpc-rows.ts';
import { guestRows, streamProgram } from './guest-rows.ts';
import { hybridRows } from './hybrid-rows.ts';
import { rowTable } from './row.ts';

const help = `usage: npm run bench -- vsock [--rounds N] [--mebibytes N] [--bounces N] [--only PART]...

AF_VSOCK over the loopback of a guest beside a program in C; HTTP/2 and RPC over it beside a Unix socket of that guest; hybrid sockets
of this host beside plain Unix sockets.

  --rounds N     how often each is measured, in turns (default 5)
  --mebibytes N  of a transfer in the guest (default 64)
  --bounces N    1-byte round trips of a measurement (default 2000)
  --only PART    stream, rpc or hybrid; default all`;

const parts = ['stream', 'rpc', 'hybrid'] as const;

/** `npm run bench -- vsock`. Resolves to an exit status. */
export async function benchVsock(args: string[], signal: AbortSignal): Promise<number> {
  const values = parseValues(args, {
    rounds: { type: 'string', default: '5' },
    mebibytes: { type: 'string', default: '64' },
    bounces: { type: 'string', default: '2000' },
    only: { type: 'string', multiple: true },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [rounds = 0, mebibytes = 0, bounces = 0] = [values.rounds, values.mebibytes, values.bounces].map(
    Number,
  );
  const only = values.only ?? parts;
  const isKnown = only.every((part) => (parts as readonly string[]).includes(part));
  if (!isKnown || ![rounds, mebibytes, bounces].every((number) => Number.isInteger(number) && number > 0)) {
    throw new UsageError(help);
  }
  if (only.includes('hybrid')) console.log(`${rowTable(await hybridRows({ rounds, signal }))}\n`);
  if (!only.includes('stream') && !only.includes('rpc')) return 0;
  const [stream, rpc] = [streamProgram(), rpcProgram()];
  const files = { ...stream.files, ...rpc.files };
  await using guest = await bootGuest({ node: true, modules: ['vsock_loopback'], files, signal });
  if (only.includes('stream')) {
    console.log(`${rowTable(await guestRows(guest, stream, { rounds, mebibytes, bounces, signal }))}\n`);
  }
  if (only.includes('rpc'))
    console.log(rowTable(await rpcRows(guest, rpc, { seconds: 1, rounds: 4 * rounds, signal })));
  return 0;
}
