// The thread of a device with `thread: true`: carries out the calls of its owner, and tells it of events.
import { parentPort, workerData } from 'node:worker_threads';
import type { Call, Failure, Report } from './core-access.ts';
import { type CoreOptions, DeviceCore } from './device-core.ts';

const report = (message: Report) => parentPort?.postMessage(message);
const core = new DeviceCore(workerData as CoreOptions, (event, ...args) => report({ event, args }));

parentPort?.on('message', ({ id, method, args }: Call) => {
  let failure: Failure | undefined;
  try {
    (core[method] as (...args: readonly unknown[]) => void)(...args);
  } catch (error) {
    failure = { ...(error as Failure), message: (error as Error).message };
  }
  // Behind what the call has given occasion to tell, which is told by microtasks.
  queueMicrotask(() => report({ id, failure }));
});
