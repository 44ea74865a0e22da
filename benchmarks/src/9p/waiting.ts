import { once } from 'node:events';
import { Socket } from 'node:net';
import { constants, socketpair } from '@vm-tools/linux';
import { Client, type RemoteNode } from '@vm-tools/p9-protocol';
import { serveThreaded } from '@vm-tools/p9-protocol/host';
import type { StressFigure, StressOptions } from './stress.ts';
import { WAIT_MS } from './waiting-file-system.ts';

const FILE = 'a/b/file.txt';

/**
 * How long a getattr takes while another request of the same connection waits for a second, again and again; and without that.
 * Client and server are threads of this process and pinned to nothing.
 */
export async function measureWaiting(options: StressOptions): Promise<StressFigure[]> {
  const [ours, theirs] = socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
  const stream = new Socket({ fd: ours });
  const module = new URL('./waiting-file-system.ts', import.meta.url);
  const connection = serveThreaded(theirs, { module, options: { root: options.root } });
  try {
    const client = await Client.connect({ stream });
    const root = await client.attach();
    const node = await root.walk(FILE);
    const file = await (await root.walk(FILE)).open();
    const alone: number[] = [];
    const beside: number[] = [];
    for (let round = 0; round < options.rounds; round++) {
      options.signal.throwIfAborted();
      const end = performance.now() + WAIT_MS;
      await ask(node, () => performance.now() < end, alone);
      let waits = true;
      const waiting = file.fsync().finally(() => {
        waits = false;
      });
      await ask(node, () => waits, beside);
      await waiting;
    }
    client.close();
    return [
      {
        name: 'p99 of getattr while a request of the connection waits 1 s',
        value: p99(beside),
        unit: 'ms',
        target: 5,
      },
      { name: 'the same while none waits', value: p99(alone), unit: 'ms' },
    ];
  } finally {
    stream.destroy();
    if (!stream.closed) await once(stream, 'close');
    await connection.ended;
  }
}

/** One request after the other; their latencies, milliseconds. */
async function ask(node: RemoteNode, goesOn: () => boolean, latencies: number[]): Promise<void> {
  while (goesOn()) {
    const start = performance.now();
    await node.getattr();
    latencies.push(performance.now() - start);
  }
}

function p99(latencies: number[]): number {
  return latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] as number;
}
