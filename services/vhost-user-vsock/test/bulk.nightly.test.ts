import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, nativeProgram } from '@vm-tools/guest';
import { expect, onTestFinished, test } from 'vitest';
import { buildDaemon, Daemon } from './daemon-process.ts';

const BYTES = 10e9;
const MAX_MEGABYTES = 110;

test('10 GB each way at the same time arrive as they were sent, and the device stays small', async () => {
  buildDaemon();
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-vuv-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [socket, udsPath] = [join(folder, 'vhost.sock'), join(folder, 'vsock')];
  const args = ['--guest-cid', '9', '--socket', socket, '--uds-path', udsPath];
  const daemon = new Daemon(args, { from: 'build' });
  onTestFinished(async () => {
    daemon.child.kill('SIGKILL');
    await daemon.ended;
  });
  await daemon.logged('listening');
  // What comes on the first connection goes back on the second, and the guest compares.
  let first: Socket | undefined;
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    if (first) first.pipe(connection);
    else first = connection.on('end', () => connection.end());
  }).listen(`${udsPath}_80`);
  onTestFinished(() => void server.close());
  await once(server, 'listening');

  const files = { '/bin/vsock-peer': await nativeProgram('vsock-peer') };
  await using guest = await bootGuest({ files, vm: { vsock: { socket } } });
  const exchanged = await guest.exec(['vsock-peer', 'exchange', '80', String(BYTES)], {
    timeoutMs: 3_600_000,
  });
  expect(exchanged).toMatchObject({ status: 0, stdout: `${BYTES} right\n` });
  expect(daemon.peakMegabytes).toBeLessThan(MAX_MEGABYTES);
}, 3_900_000);
