import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { bundleForBrowser } from './bundle.ts';
import type { conform, exchange } from './page.ts';

/**
 * Runs a bundle in a thread that has nothing of Node's: no `process`, no `Buffer`, no modules. A message calls one of its functions with the ports that come along,
 * and is answered with what the function gives.
 */
const bootstrap = `
  const { parentPort, workerData } = require('node:worker_threads');
  // Node loads it when a port first gets a message, and needs a Buffer for that.
  new MessageEvent('message');
  for (const name of ['process', 'Buffer', 'global', 'setImmediate', 'clearImmediate', 'require', 'module', 'exports'])
    delete globalThis[name];
  (0, eval)(workerData + '; globalThis.bundle = bundle;');
  parentPort.on('message', async ({ call, ports }) => {
    parentPort.postMessage(await bundle[call](...ports));
  });
`;

const threads: Worker[] = [];

async function threadOf(file: string): Promise<Worker> {
  const thread = new Worker(bootstrap, { eval: true, workerData: await bundleForBrowser(file, 'bundle') });
  threads.push(thread);
  return thread;
}

afterEach(() => Promise.all(threads.splice(0).map((thread) => thread.terminate())));

/** Calls a function of the page with channels to the server's `serve` function. */
async function callPage<R>(call: string, serve: string, channels: number): Promise<R> {
  const [page, server] = await Promise.all([threadOf('./page.ts'), threadOf('./server.ts')]);
  const ports: MessagePort[] = [];
  for (let made = 0; made < channels; made++) {
    const { port1, port2 } = new MessageChannel();
    server.postMessage({ call: serve, ports: [port1] }, [port1]);
    ports.push(port2);
  }
  return new Promise((resolve, reject) => {
    page.once('message', resolve);
    for (const thread of [page, server]) thread.once('error', reject);
    page.postMessage({ call, ports }, ports);
  });
}

describe('bundled for a browser', () => {
  test('a server in memory and a client exchange megabytes without anything of Node', async () => {
    const report = await callPage<Awaited<ReturnType<typeof exchange>>>('exchange', 'serveOn', 1);
    expect(report).toEqual({
      greeting: 'hello from the worker\nhello from the worker\nand from the page\n',
      bytesWritten: 3 * (8 << 20) + 3,
      bytesRead: 3 * (8 << 20) + 3,
      differsAt: -1,
      names: ['.', '..', 'greeting', 'file 0', 'file 1', 'file 2'],
      globals: [],
    });
  });

  test('the conformance suite passes', async () => {
    const report = await callPage<Awaited<ReturnType<typeof conform>>>('conform', 'serveEmptyOn', 200);
    expect(report.failed).toEqual([]);
    expect(report.passed).toBeGreaterThan(100);
  });

  test('what imports something of Node is not bundled', async () => {
    await expect(bundleForBrowser('../../src/host/index.ts', 'bundle')).rejects.toThrow(
      /node:|@vm-tools\/linux/,
    );
  });
});
