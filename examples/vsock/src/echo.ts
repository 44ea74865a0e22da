import { text } from 'node:stream/consumers';
import { dialWithRetry, formatAddress, listen, peerOf } from '@vm-tools/vsock';

const [command, address, ...words] = process.argv.slice(2);
if (address === undefined || (command !== 'serve' && command !== 'ask')) {
  console.error('usage: echo.ts serve ADDRESS\n       echo.ts ask ADDRESS WORD...');
  process.exit(64);
}

try {
  await (command === 'serve' ? serve(address) : ask(address));
} catch (error) {
  // What was tried, where, why it failed and what to do are in the message.
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 69;
}

async function serve(where: string): Promise<void> {
  const listener = await listen(where, { allowHalfOpen: true });
  process.once('SIGTERM', () => void listener.close());
  console.log(`listening on ${formatAddress(listener.address)}`);
  for await (const socket of listener) {
    const peer = peerOf(socket);
    console.log(peer?.kind === 'vsock' ? `CID ${peer.cid}` : `someone by ${peer?.kind}`);
    socket.on('error', (error) => console.error(error.message));
    socket.pipe(socket);
  }
}

async function ask(where: string): Promise<void> {
  const socket = await dialWithRetry(where, { deadlineMs: 30_000, allowHalfOpen: true });
  socket.end(words.join(' '));
  console.log(await text(socket));
}
