import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { Code, ConnectError } from '@connectrpc/connect';
import { callerOf, serveRpc } from '@vm-tools/vm-rpc';
import { type LaunchProcessRequest, Maitred, ProcessStatus } from '@vm-tools/vm-rpc/vm-guest';

const [address = 'vsock::8888'] = process.argv.slice(2);
/** The host, and this machine itself. */
const acceptCids = address.startsWith('vsock') ? { acceptCids: [2, 1] } : {};

const server = await serveRpc(
  address,
  (router) => {
    router.service(Maitred, {
      launchProcess: (request, context) => {
        const caller = callerOf(context);
        console.log(
          `${caller.kind === 'vsock' ? `CID ${caller.cid}` : caller.kind}: ${request.argv.join(' ')}`,
        );
        return launch(request, context.signal);
      },
    });
  },
  {
    ...acceptCids,
    onRefused: (_, why) => console.error(why.message),
    onHandlerError: ({ error, method }) => console.error(method, error),
  },
);
console.log('ready');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());

async function launch({ argv, env }: LaunchProcessRequest, signal: AbortSignal) {
  const [file, ...args] = argv;
  if (file === undefined) throw new ConnectError('argv names no program', Code.InvalidArgument);
  // The signal fires when the caller gives up, its deadline has come, or this server ends.
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: 'ignore', signal });
  const [code, name] = await once(child, 'exit').catch((error: NodeJS.ErrnoException) => {
    if (signal.aborted) throw signal.reason;
    throw new ConnectError(`${file} cannot be run: ${error.code}`, Code.NotFound);
  });
  return name === null
    ? { status: ProcessStatus.EXITED, code }
    : { status: ProcessStatus.SIGNALED, code: constants.signals[name as NodeJS.Signals] };
}
