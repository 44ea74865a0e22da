// Runs in the guest. Without arguments it measures, and prints a line of JSON for each figure; with `serve` it is the other
// process, which serves all that is measured over AF_VSOCK (CID 1) and over a Unix socket.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http2, { type ClientHttp2Session } from 'node:http2';
import { connect as connectUnix, createServer, type Socket } from 'node:net';
import { createClient } from '@connectrpc/connect';
import { createVmTransport, serveRpc } from '@vm-tools/vm-rpc';
import { CrashListener } from '@vm-tools/vm-rpc/vm-crash';
import { Cid, connect, listen } from '@vm-tools/vsock';

/** As vm-rpc has it. */
const WINDOW = 4 << 20;
const PIECE = Buffer.alloc(256 << 10, 'x');
/** On an emulated CPU compiling takes long, and would be counted to whoever comes first. */
const WARM_UP_MS = 12_000;
const settings = { initialWindowSize: WINDOW };

const sockets = ['unix', 'vsock'] as const;
type Kind = (typeof sockets)[number];
const rpcAddress = { unix: 'unix:/tmp/rpc.sock', vsock: 'vsock:local:5001' };
const http2Path = '/tmp/http2.sock';
const http2Port = 5002;

const [role, seconds = '2', rounds = '5'] = process.argv.slice(2);
if (role === 'serve') await serve();
else await measure(Number(seconds) * 1000, Number(rounds));

async function serve(): Promise<void> {
  for (const address of ['unix:/tmp/rpc.sock', 'vsock::5001']) {
    await serveRpc(address, (router) => {
      router.service(CrashListener, { checkMetricsConsent: () => ({ consentGranted: true }) });
    });
  }
  const web = http2.createServer({ settings });
  web.on('session', (session) => session.setLocalWindowSize(WINDOW));
  web.on('stream', (stream) => {
    stream.respond({ ':status': 200 });
    stream.on('error', () => undefined);
    const push = () => {
      while (stream.write(PIECE));
    };
    stream.on('drain', push);
    push();
  });
  createServer((socket) => void web.emit('connection', socket)).listen(http2Path);
  await listen(`vsock::${http2Port}`, {}, (socket) => void web.emit('connection', socket));
  process.stdout.write('serves\n');
}

/** Sockets take turns, and another one begins each round: whatever the machine does meanwhile happens to both. */
async function measure(ms: number, count: number): Promise<void> {
  const server = spawn(process.execPath, [String(process.argv[1]), 'serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(server.stdout, 'data');
  const workloads: Readonly<Record<string, (kind: Kind, time: number) => Promise<number>>> = {
    'http2-download': download,
    'rpc-sequential': (kind, time) => calls(kind, time, 1),
    'rpc-concurrent': (kind, time) => calls(kind, time, 16),
  };
  for (const [workload, run] of Object.entries(workloads)) {
    for (const kind of sockets) await run(kind, WARM_UP_MS);
    for (let round = 0; round < count; round++) {
      for (const kind of round % 2 ? sockets : sockets.toReversed()) {
        process.stdout.write(`${JSON.stringify({ workload, kind, round, value: await run(kind, ms) })}\n`);
      }
    }
  }
  server.kill();
}

/** Bytes a second. */
async function download(kind: Kind, ms: number): Promise<number> {
  const socket =
    kind === 'unix' ? connectUnix(http2Path) : await connect({ cid: Cid.local, port: http2Port });
  const session: ClientHttp2Session = http2.connect('http://guest', {
    createConnection: () => socket as Socket,
    settings,
  });
  await once(session, 'connect');
  session.setLocalWindowSize(WINDOW);
  const stream = session.request({ ':path': '/' });
  let bytes = 0;
  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<number>();
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    const elapsed = performance.now() - started;
    if (elapsed < ms) return;
    resolve((bytes * 1000) / elapsed);
    stream.removeAllListeners('data');
    stream.destroy();
  });
  const speed = await promise;
  session.destroy();
  return speed;
}

/** Calls a second, so many at once. */
async function calls(kind: Kind, ms: number, atOnce: number): Promise<number> {
  await using transport = createVmTransport(rpcAddress[kind]);
  const { checkMetricsConsent } = createClient(CrashListener, transport);
  await checkMetricsConsent({});
  let done = 0;
  const started = performance.now();
  const caller = async () => {
    for (; performance.now() - started < ms; done++) await checkMetricsConsent({});
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  return (done * 1000) / (performance.now() - started);
}
