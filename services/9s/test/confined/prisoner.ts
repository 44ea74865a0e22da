// Confines itself as 9s does, and tries from each kind of thread to get out. Prints, by kind of thread, what every attempt ended with: 0 or
// an error number. Arguments: the addon of attempts.c, the folder that is served, one outside of it, `rw` or `ro`.
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { constants, open } from '@vm-tools/linux';
import { seal, startedOver, startOver } from '../../src/sandbox.ts';

export type Outcome = Readonly<Record<string, number>>;

interface Attempts {
  setFolders(inside: string, outside: string): void;
  hereAndNow(): Outcome;
  inNewThread(): Outcome;
  inPoolThread(): Promise<Outcome>;
}

async function attemptsOf(folders: readonly string[]): Promise<Record<string, Outcome>> {
  const [path = '', inside = '', outside = ''] = folders;
  const attempts = createRequire(import.meta.url)(path) as Attempts;
  attempts.setFolders(inside, outside);
  return {
    itself: attempts.hereAndNow(),
    'a thread of its own': attempts.inNewThread(),
    'a thread of the pool': await attempts.inPoolThread(),
  };
}

const folders = isMainThread ? process.argv.slice(2, 5) : (workerData as string[]);
if (isMainThread) await main();
else parentPort?.once('message', async () => parentPort?.postMessage(await attemptsOf(folders)));

async function main(): Promise<void> {
  const confined = startedOver<number>();
  if (!confined) {
    createRequire(import.meta.url)(folders[0] as string); // what is mapped may be mapped again
    const root = open(folders[1] as string, constants.O_PATH | constants.O_DIRECTORY);
    startOver({
      required: true,
      roots: [root],
      readOnly: process.argv[5] === 'ro',
      deviceNodes: false,
      actAsUser: false,
      socketFolders: [],
      descriptors: [root],
      state: root,
    });
  }
  // Threads that are there when the last right is taken away: of the pool, and a worker's.
  await Promise.all(Array.from({ length: 4 }, () => stat('.')));
  const early = await startWorker();
  const inForce = seal(confined.inForce);
  const results = {
    'the main thread': await attemptsOf(folders),
    'an early worker': await attemptsIn(early),
    'a late worker': await attemptsIn(await startWorker()),
  };
  process.stdout.write(JSON.stringify({ inForce, results }));
}

async function startWorker(): Promise<Worker> {
  const worker = new Worker(new URL(import.meta.url), { workerData: folders });
  await once(worker, 'online');
  return worker;
}

async function attemptsIn(worker: Worker): Promise<Record<string, Outcome>> {
  worker.postMessage('go');
  const [outcome] = await once(worker, 'message');
  return outcome as Record<string, Outcome>;
}
