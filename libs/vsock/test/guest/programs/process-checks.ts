import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as linux from '@vm-tools/linux';
import { Cid, connect, dial, fromFd, listen, listenDescriptors, peerOf } from '@vm-tools/vsock';
import { freePort, until, within } from './ends.ts';

const { AF_VSOCK, SOCK_STREAM } = linux.constants;
const program = fileURLToPath(import.meta.url);
const descriptors = () => readdirSync('/proc/self/fd').length;
/** The descriptors and what they are. */
const openFiles = () => readdirSync('/proc/self/fd').map(fileAt).join(', ');

function fileAt(fd: string): string {
  try {
    return `${fd}: ${readlinkSync(`/proc/self/fd/${fd}`)}`;
  } catch {
    return `${fd}: closed`; // the folder's own
  }
}

function listeningSocket(port: number): number {
  const fd = linux.socket(AF_VSOCK, SOCK_STREAM);
  linux.bind(fd, { family: 'vsock', cid: Cid.local, port });
  linux.listen(fd, 8);
  return fd;
}

/** What holds of processes, threads and descriptors that come from elsewhere. */
export const processChecks: Readonly<Record<string, () => Promise<void>>> = {
  'a connection that someone else made becomes a socket': async () => {
    const port = freePort();
    const listener = listeningSocket(port);
    const fd = linux.socket(AF_VSOCK, SOCK_STREAM);
    linux.connect(fd, { family: 'vsock', cid: Cid.local, port });
    const other = await fromFd(linux.accept(listener, 0), { allowHalfOpen: true });
    const socket = await dial(`unix-fd:${fd}`, { allowHalfOpen: true });
    assert.equal(peerOf(socket)?.kind, 'vsock');
    socket.end('adopted');
    assert.equal(await text(other), 'adopted');
    for (const each of [socket, other]) each.destroy();
    await assert.rejects(fromFd(listener), /ENOTCONN/);
    linux.close(listener);
  },

  'a listening socket that someone else made is listened on': async () => {
    const port = freePort();
    const fd = listeningSocket(port);
    const listener = await listen(`unix-fd:${fd}`, { acceptCids: [Cid.local] }, (socket) =>
      socket.end('hello'),
    );
    assert.deepEqual(listener.address, { kind: 'vsock', cid: Cid.local, port });
    assert.equal(await text(await connect({ cid: Cid.local, port })), 'hello');
    await listener.close();
    await assert.rejects(connect({ cid: Cid.local, port }), /ECONNRESET/);
  },

  'a socket that the service manager passes is listened on': async () => {
    const port = freePort();
    const fd = listeningSocket(port);
    const child = spawn(
      'sh',
      ['-c', `LISTEN_PID=$$ LISTEN_FDS=1 exec ${process.execPath} ${program} activated`],
      {
        stdio: ['ignore', 'pipe', 'inherit', fd],
      },
    );
    linux.close(fd);
    assert.equal(await text(await connect({ cid: Cid.local, port })), 'activated');
    assert.equal((await once(child, 'exit'))[0], 0);
  },

  'connections can be had as descriptors': async () => {
    const accepted = Promise.withResolvers<number>();
    using listener = await listenDescriptors(`vsock:local:${freePort()}`, {
      acceptCids: (cid) => cid === Cid.local,
      onConnection: (fd, peer) => {
        assert.equal(peer.kind === 'vsock' && peer.cid, Cid.local);
        accepted.resolve(fd);
      },
    });
    const { address } = listener;
    assert.equal(address?.kind, 'vsock');
    const client = await connect({ cid: Cid.local, port: address.port });
    const fd = await accepted.promise;
    assert.equal(linux.send(fd, Buffer.from('raw'), 0, 3, 0), 3);
    linux.close(fd);
    assert.equal(await text(client), 'raw');
  },

  'in a worker of node:cluster connections are its own': async () => {
    const port = freePort();
    cluster.setupPrimary({ exec: program, args: ['clustered', String(port)] });
    const worker = cluster.fork();
    await once(worker, 'message');
    const answer = await text(await connect({ cid: Cid.local, port }));
    assert.equal(answer, `cluster worker ${worker.process.pid}`);
    assert.equal((await once(worker, 'exit'))[0], 0);
    await assert.rejects(connect({ cid: Cid.local, port }), /ECONNRESET/);
  },

  'a thread that is terminated leaves no descriptor and no listener': async () => {
    const ports = [freePort(), freePort(), freePort(), freePort()];
    // Each time at another moment of what it does: it has descriptors as numbers only for an instant.
    const run = async (delayMs: number) => {
      const worker = new Worker(program, { argv: ['threaded', ...ports.map(String)] });
      const ready = once(worker, 'message');
      await within('the thread has everything open', ready);
      await sleep(delayMs);
      await within('the thread is terminated', worker.terminate());
    };
    await run(0); // the first one opens what stays
    const before = descriptors();
    for (let round = 0; round < 8; round++) await run(round * 2);
    await until(() => descriptors() <= before, openFiles);
    for (const port of ports) {
      const connecting = connect({ cid: Cid.local, port });
      await within(`nobody listens on ${port}`, assert.rejects(connecting, /ECONNRESET/));
    }
  },

  'a process exits in the midst of everything': async () => {
    for (const how of ['exit', 'throw', 'end']) {
      const { status, signal, stderr } = spawnSync(
        process.execPath,
        [program, 'exiting', how, String(freePort())],
        {
          encoding: 'utf8',
        },
      );
      assert.equal(signal, null, stderr);
      assert.equal(status, { exit: 3, throw: 1, end: 0 }[how], stderr);
      if (how !== 'throw') assert.equal(stderr, '');
    }
  },
};
