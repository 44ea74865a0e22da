import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bootGuest } from '@vm-tools/guest';
import { accept, bind, close, constants, listen, socket, watch } from '@vm-tools/linux';
import { ThreadPool } from '@vm-tools/p9-protocol/host';

const [folder, ...command] = process.argv.slice(2);
if (folder === undefined || command.length === 0) {
  console.error('usage: main.ts FOLDER COMMAND [ARGUMENT]...');
  process.exit(64);
}

// Serve: a Unix socket, and a thread for each connection to it. Nothing below FOLDER is reached by path, nothing beside it at all.
const runtime = mkdtempSync(join(tmpdir(), 'serve-and-mount-'));
const path = join(runtime, '9p.sock');
const listener = socket(constants.AF_UNIX, constants.SOCK_STREAM | constants.SOCK_NONBLOCK);
bind(listener, { family: 'unix', path });
listen(listener, 8);
const threads = new ThreadPool({ options: { root: resolve(folder) } });
const accepting = watch(listener, { readable: true }, () => {
  const fd = accept(listener, 0);
  if (fd >= 0) threads.serve(fd);
});

// Mount: the guest's kernel is the client.
try {
  await using guest = await bootGuest({ p9: { folder: path } });
  await guest.mount9p('folder', '/mnt', { msize: 1 << 20 });
  const { status, stdoutBytes, stderr } = await guest.exec(command, { cwd: '/mnt' });
  process.stdout.write(stdoutBytes);
  process.stderr.write(stderr);
  process.exitCode = status ?? 1;
} finally {
  accepting.close();
  close(listener);
  rmSync(runtime, { recursive: true });
}
