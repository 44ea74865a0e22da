import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer as createHttp, request } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { Cid, connect, peerOf } from '@vm-tools/vsock';
import { WebSocket, WebSocketServer } from 'ws';
import { connection, listening } from './ends.ts';

const body = Buffer.alloc(200_000, 'b');

/** What stands on a stream works on these. */
export const webChecks: Readonly<Record<string, () => Promise<void>>> = {
  'node:http serves and asks, keeps connections alive, and knows its peer': async () => {
    const web = createHttp((message, response) => {
      const peer = peerOf(message.socket);
      message.resume().on('end', () => response.end(`${message.url} ${peer?.kind === 'vsock' && peer.cid}`));
    });
    await using server = await listening({}, (socket) => void web.emit('connection', socket));
    let dialed = 0;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = (_, done = () => assert.fail()) => {
      dialed++;
      void connect({ cid: Cid.local, port: server.port }).then((socket) => done(null, socket));
      return null;
    };
    for (const path of ['/one', '/two']) {
      const asked = request({ agent, path, method: 'POST' });
      asked.end(body);
      const [response] = await once(asked, 'response');
      assert.equal(await text(response), `${path} 1`);
    }
    assert.equal(dialed, 1);
    agent.destroy();
  },

  'node:http2 serves and asks, many at once, and knows its peer': async () => {
    const web = createHttp2();
    web.on('stream', (stream, headers) => {
      const peer = peerOf(stream.session?.socket as Socket);
      assert.equal(peer?.kind === 'vsock' && peer.cid, Cid.local);
      stream.respond({ ':status': 200 });
      stream.end(Buffer.concat([Buffer.from(String(headers[':path'])), body]));
    });
    await using server = await listening({}, (socket) => void web.emit('connection', socket));
    const socket = await connect({ cid: Cid.local, port: server.port });
    const session = connectHttp2('http://guest', { createConnection: () => socket });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => text(session.request({ ':path': `/${index}` }))),
    );
    answers.forEach((answer, index) => {
      assert.equal(answer, `/${index}${body}`);
    });
    session.close();
    await once(session, 'close');
  },

  'ws speaks WebSocket': async () => {
    const sockets = new WebSocketServer({ noServer: true });
    const web = createHttp().on('upgrade', (message, socket, head) => {
      sockets.handleUpgrade(message, socket, head, (ws) => ws.on('message', (data) => ws.send(data)));
    });
    await using server = await listening({}, (socket) => void web.emit('connection', socket));
    const socket = await connect({ cid: Cid.local, port: server.port });
    const ws = new WebSocket('ws://guest/', { createConnection: () => socket });
    await once(ws, 'open');
    ws.send(body);
    const [data] = await once(ws, 'message');
    assert.ok(body.equals(data));
    ws.close();
    await once(ws, 'close');
  },

  'TLS goes on top': async () => {
    const shared = Buffer.from('a secret that both know');
    const common = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    await using ends = await connection();
    const server = new TLSSocket(ends.server, {
      isServer: true,
      pskCallback: () => shared,
      ...common,
    } as object);
    const client = connectTls({
      ...common,
      socket: ends.client,
      pskCallback: () => ({ psk: shared, identity: 'guest' }),
      checkServerIdentity: () => undefined,
    });
    if (ends.client instanceof Socket) {
      const peer = peerOf(client);
      assert.equal(peer?.kind === 'vsock' && peer.cid, Cid.local);
      assert.deepEqual(peerOf(server), peerOf(ends.server));
    }
    server.end(body);
    client.end('over TLS');
    assert.deepEqual(await Promise.all([text(client), text(server)]), [String(body), 'over TLS']);
  },
};
