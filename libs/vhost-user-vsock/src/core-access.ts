import { Worker } from 'node:worker_threads';
import { SystemError } from '@vm-tools/linux';
import { type CoreEvents, type CoreListener, type CoreOptions, DeviceCore } from './device-core.ts';

/** What can be asked of the core, on whatever thread it is. */
export type CoreMethod =
  | 'attach'
  | 'attachPath'
  | 'serve'
  | 'listen'
  | 'forward'
  | 'unlisten'
  | 'connect'
  | 'cancel'
  | 'close';

/** The device's core, here or on a thread. */
export interface Core {
  /** Calls are made in their order. Rejects with what the core throws. */
  call<M extends CoreMethod>(method: M, ...args: Parameters<DeviceCore[M]>): Promise<void>;
  /** Resolves when it is closed, and all that it had to tell is told. */
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}

/** From the owner to the thread. */
export interface Call {
  readonly id: number;
  readonly method: CoreMethod;
  readonly args: readonly unknown[];
}

/** From the thread to its owner: an event, or how a call has ended. */
export type Report =
  | { readonly event: keyof CoreEvents; readonly args: CoreEvents[keyof CoreEvents] }
  | { readonly id: number; readonly failure: Failure | undefined };

/** What is left of an error between threads, but for its message: of a SystemError all that it is made of. */
export interface Failure {
  readonly message: string;
  readonly errno?: number;
  readonly syscall?: string;
  readonly path?: string;
  readonly address?: string;
}

function errorOf({ message, errno, syscall, ...subject }: Failure): Error {
  return errno === undefined || syscall === undefined
    ? new Error(message)
    : new SystemError(errno, syscall, subject);
}

/** The core on the calling thread. */
export function localCore(options: CoreOptions, listener: CoreListener): Core {
  const core = new DeviceCore(options, listener);
  return {
    async call(method, ...args) {
      (core[method] as (...args: unknown[]) => void)(...args);
    },
    async close() {
      core.close();
    },
    ref: () => core.ref(),
    unref: () => core.unref(),
  };
}

/** The core on a thread of its own; descriptors are the process's, and are told by their numbers. */
export function threadCore(options: CoreOptions, listener: CoreListener): Core {
  const worker = new Worker(new URL('./device-thread.ts', import.meta.url), {
    workerData: options,
    name: 'vhost-user-vsock',
  });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const calls = new Map<number, PromiseWithResolvers<void>>();
  let nextId = 1;
  worker.on('message', (report: Report) => {
    if ('event' in report) listener(report.event, ...report.args);
    else {
      const call = calls.get(report.id);
      calls.delete(report.id);
      if (report.failure === undefined) call?.resolve();
      else call?.reject(errorOf(report.failure));
    }
  });
  void exited.then(() => {
    for (const { reject } of calls.values()) reject(new Error('the thread of the device has ended'));
  });
  const call: Core['call'] = (method, ...args) => {
    const id = nextId++;
    const ended = Promise.withResolvers<void>();
    calls.set(id, ended);
    worker.postMessage({ id, method, args } satisfies Call);
    return ended.promise;
  };
  return {
    call,
    async close() {
      await call('close');
      await worker.terminate();
      await exited;
    },
    ref: () => worker.ref(),
    unref: () => worker.unref(),
  };
}
