import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { dial, formatAddress, listen, peerOf } from '@vm-tools/vsock';

const [command, address, ...rest] = process.argv.slice(2);
if (address === undefined || (command !== 'serve' && command !== 'get')) {
  console.error('usage: http.ts serve ADDRESS [CID]...\n       http.ts get ADDRESS PATH');
  process.exit(64);
}

try {
  await (command === 'serve' ? serve(address, rest.map(Number)) : ask(address, rest[0] ?? '/'));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 69;
}

/** Serves everyone, or the VMs of some CIDs alone. */
async function serve(where: string, cids: readonly number[]): Promise<void> {
  const web = createServer((request, response) => {
    const peer = peerOf(request.socket);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ path: request.url, peer: peer?.kind === 'vsock' ? peer.cid : peer?.kind }));
  });
  const listener = await listen(where, cids.length > 0 ? { acceptCids: cids } : {}, (socket) => {
    web.emit('connection', socket);
  });
  process.once('SIGTERM', () => {
    void listener.close();
    web.closeAllConnections();
  });
  console.log(`listening on ${formatAddress(listener.address)}`);
}

async function ask(where: string, path: string): Promise<void> {
  const agent = new Agent();
  agent.createConnection = (_, done) => {
    dial(where).then(
      (socket) => done?.(null, socket),
      (error) => done?.(error, null as never),
    );
    return null;
  };
  const [response] = (await once(get({ path, agent }), 'response')) as [IncomingMessage];
  console.log(response.statusCode, await text(response));
}
