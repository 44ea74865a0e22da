import { parseArgs } from 'node:util';
import { bootGuest } from '@vm-tools/guest';
import { UsageError } from '../9p/options.ts';
import { rpcProgram, rpcRows, rpcTable } from './rpc-rows.ts';

const help = `usage: npm run bench -- rpc [--seconds N] [--rounds N] [--json]

HTTP/2 and unary RPC over AF_VSOCK, beside the same over a Unix socket, in a guest with vsock_loopback.

  --seconds N  how long each is measured in a round (default 2)
  --rounds N   how often (default 7)
  --json       results as JSON in place of a table`;

/** `npm run bench -- rpc`. Resolves to an exit status. */
export async function benchRpc(args: string[], signal: AbortSignal): Promise<number> {
  const { values } = parse(args);
  if (values.help) {
    console.log(help);
    return 0;
  }
  const seconds = Number(values.seconds);
  const rounds = Number(values.rounds);
  if (!(seconds > 0) || !Number.isInteger(rounds) || rounds < 1) throw new UsageError(help);
  const program = rpcProgram();
  const { files } = program;
  await using guest = await bootGuest({ node: true, modules: ['vsock_loopback'], files, signal });
  const rows = await rpcRows(guest, program, { seconds, rounds, signal });
  console.log(values.json ? JSON.stringify(rows, null, 2) : rpcTable(rows));
  return 0;
}

function parse(args: string[]) {
  const options = {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    return parseArgs({ args, options });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
