// As a thread: connects, listens and sends without a pause, by the sockets that every host has, until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';
import { close } from '@vm-tools/linux';
import { dial, listen, listenDescriptors } from '@vm-tools/vsock';

const { name, vm } = workerData as { readonly name: string; readonly vm: string };

parentPort?.postMessage('begins');
for (let round = 0; ; round++) {
  const address = `unix-abstract:${name}-${round}`;
  await using listener = await listen(address);
  const [client, server] = await Promise.all([dial(address), listener.accept()]);
  client.end('x');
  server.resume();
  const guest = await dial(`hybrid:${vm}:1024`);
  guest.destroy();
  using descriptors = await listenDescriptors(`${address}-descriptors`, { onConnection: close });
  (await dial(`${address}-descriptors`)).destroy();
  void descriptors;
}
