import { pipeline } from 'node:stream/promises';
import { connectHybrid } from '@vm-tools/vsock';

const [path, port] = process.argv.slice(2);
if (path === undefined || !/^[0-9]+$/.test(port ?? '')) {
  console.error('usage: firecracker.ts UDS_PATH PORT');
  process.exit(64);
}

try {
  const socket = await connectHybrid({ path, port: Number(port), timeoutMs: 5000, allowHalfOpen: true });
  const sending = pipeline(process.stdin, socket);
  // The guest may end first, and then takes no more.
  sending.catch(() => undefined);
  for await (const data of socket) process.stdout.write(data as Buffer);
  process.exit();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 69;
}
