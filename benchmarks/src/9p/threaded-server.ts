import {
  accept,
  bind,
  close,
  constants,
  Errno,
  errnoMessage,
  listen,
  setNonblocking,
  socket,
  watch,
} from '@vm-tools/linux';
import { serveThreaded } from '@vm-tools/p9-protocol/host';

/**
 * `threaded-server.ts ROOT SOCKET [MICROSECONDS]`: serves a directory from the sources, each client in a thread, as 9s does.
 * With MICROSECONDS, a filesystem that burns so much CPU in each call.
 */

const [root, path, slowDown] = process.argv.slice(2);
if (root === undefined || path === undefined)
  throw new Error('usage: threaded-server.ts ROOT SOCKET [MICROSECONDS]');

const listener = socket(constants.AF_UNIX, constants.SOCK_STREAM);
bind(listener, { family: 'unix', path });
listen(listener, 128);
setNonblocking(listener, true);
process.umask(0);

watch(listener, { readable: true }, () => {
  const fd = accept(listener, 0);
  if (fd === -Errno.EAGAIN) return;
  if (fd < 0) throw new Error(`accept: ${errnoMessage(fd)}`);
  const connection = serveThreaded(fd, {
    ...(slowDown === undefined ? {} : { module: new URL('./slow-file-system.ts', import.meta.url) }),
    options: { root, microseconds: Number(slowDown ?? 0) },
    onWarning: (message) => console.error(message),
  });
  void connection.ended.then(({ reason, message }) => {
    if (reason !== 'closed' && reason !== 'shutdown') console.error(`${reason}: ${message}`);
  });
});

process.once('SIGTERM', () => {
  close(listener);
  process.exit(0);
});
