import { once } from 'node:events';
import { connect } from 'node:net';
import { QmpClient } from './qemu/qmp-client.ts';

/** A QMP connection to a VM that someone else has started. */
export interface QmpConnection extends Disposable {
  readonly qmp: QmpClient;
  /** Resolves when it is closed, by whichever end. */
  readonly closed: Promise<void>;
}

/**
 * Connects to the Unix socket of `-qmp unix:PATH,server=on,wait=off`. Rejects with the error of the socket (ENOENT, ECONNREFUSED) or QmpError.
 * QEMU serves one client at a time: a second one waits for the greeting.
 */
export async function connectQmp(path: string): Promise<QmpConnection> {
  const stream = connect(path);
  await once(stream, 'connect');
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  const qmp = new QmpClient(stream);
  await qmp.negotiate();
  return { qmp, closed, [Symbol.dispose]: () => void stream.destroy() };
}
