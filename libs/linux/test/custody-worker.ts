// Has descriptors as numbers, of every origin, until it is terminated; tells which.
import { closeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import * as linux from '@vm-tools/linux';

const { AF_UNIX, O_RDONLY, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;

const listener = linux.keptSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
linux.bind(listener, { family: 'unix-abstract', name: `vm-tools-custody-${process.pid}-${listener}` });
linux.listen(listener, 1);
const client = linux.keptSocket(AF_UNIX, SOCK_STREAM);
linux.connect(client, linux.getsockname(listener));
const [near, far] = linux.keptSocketpair(AF_UNIX, SOCK_STREAM);
const watched = linux.socket(AF_UNIX, SOCK_STREAM);
const taken = linux.watch(watched, { readable: true }, () => undefined).take();
linux.close(watched);
const gone = linux.keptOpen('/dev/null', O_RDONLY);

const kept = [listener, client, linux.keptAccept(listener, 0), near, far, taken];
const given = linux.letGo(linux.keptOpen('/dev/null', O_RDONLY));
// As a handle of Node.js does that ends with the thread.
closeSync(gone);
parentPort?.postMessage({ kept, given, gone });
setInterval(() => undefined, 2 ** 30);
