import {
  type Context,
  ExitCode,
  ExitError,
  type Listener,
  listenOn,
  passedSockets,
  UsageError,
} from '@vm-tools/daemon';
import { constants, open } from '@vm-tools/linux';
import { type HostFileSystemOptions, ThreadPool } from '@vm-tools/p9-protocol/host';
import { type Address, formatAddress } from '@vm-tools/vsock';
import { Acceptor } from './acceptor.ts';
import { Clients } from './clients.ts';
import { idMap } from './id-map.ts';
import type { program } from './program.ts';

/** What the Linux client asked for by default up to 5.15: too little to be fast. */
const SMALL_MSIZE = 8192;

type ServeContext = Context<typeof program.options, typeof program.operands>;

/** Serves until the process is told to end. */
export async function serve({
  options,
  operands,
  log,
  shutdown,
  serviceManager,
}: ServeContext): Promise<undefined> {
  const addresses = whereToListen(operands.listen, options.socketGid);
  const fileSystem: HostFileSystemOptions = {
    root: openRoot(options.root),
    readOnly: options.readOnly,
    uidMap: idMap('--uid-map', options.uidMap),
    gidMap: idMap('--gid-map', options.gidMap),
    deviceNodes: options.deviceNodes,
  };
  if (options.msize <= SMALL_MSIZE) {
    log.warn(`--msize ${options.msize} is small: most time will go into round trips`);
  }
  // The client's system has applied the mask of the process that creates a file.
  process.umask(0);

  const threads = new ThreadPool({
    options: fileSystem,
    server: { msize: options.msize },
    threads: options.threads,
  });
  const clients = new Clients({
    log,
    max: options.maxConnections,
    serve: (fd, clientLog) => threads.serve(fd, { onWarning: (message) => clientLog.warn(message) }),
  });
  shutdown.onShutdown('finish the replies to clients', () => clients.shutdown());

  const listening: string[] = [];
  for (const address of addresses) {
    const listener = await listen(address, options);
    const acceptor = new Acceptor(listener, {
      onConnection: (fd) => clients.add(fd, listener.name.family),
      onShortage: (code) => log.warn('clients have to wait: no further connection can be accepted', { code }),
    });
    shutdown.onShutdown(`stop listening on ${formatAddress(listener.address)}`, () => acceptor.close());
    const where = formatAddress(listener.address);
    listening.push(where);
    log.info('listening', {
      address: where,
      ...(address.kind === 'unix-fd' ? { name: listener.name } : {}),
      root: options.root,
      readOnly: options.readOnly,
    });
  }
  const status = `serving ${options.root} on ${listening.join(', ')}`;
  await serviceManager.notify({ ready: true, status }).catch((error: unknown) => {
    log.warn('the service manager cannot be told that 9s is ready', { error });
  });
  return undefined;
}

async function listen(
  address: Address,
  { socketGid, insecureListen }: ServeContext['options'],
): Promise<Listener> {
  return await listenOn(address, {
    insecure: insecureListen,
    ...(socketGid === undefined ? {} : { gid: socketGid }),
  });
}

function whereToListen(listen: Address | undefined, socketGid: number | undefined): Address[] {
  // Asked for in any case: the variables must not reach anyone else.
  const passed = passedSockets().map(({ fd }): Address => ({ kind: 'unix-fd', fd }));
  const addresses = listen ? [listen] : passed;
  if (addresses.length === 0) {
    throw new UsageError({
      code: 'ERR_MISSING_OPERAND',
      subject: 'LISTEN',
      problem: 'is missing, and the service manager passed no socket',
      remedy: 'write unix:/PATH after the options',
    });
  }
  if (socketGid !== undefined && listen?.kind !== 'unix') {
    throw new UsageError({
      code: 'ERR_CONFLICTING_OPTIONS',
      subject: '--socket-gid',
      problem: 'only a socket that is made at unix:/PATH can be given to a group',
      remedy: 'leave it out',
    });
  }
  return addresses;
}

/**
 * Opens the directory, once and for all: whatever its path leads to later, clients see this one, and all of them the same.
 *
 * @returns a path that leads to it for as long as the process lives
 */
function openRoot(path: string): string {
  try {
    return `/proc/self/fd/${open(path, constants.O_PATH | constants.O_DIRECTORY)}`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ExitError(`--root: ${message}; name a directory that can be read`, {
      exitCode: code === 'EACCES' || code === 'EPERM' ? ExitCode.noPermission : ExitCode.config,
      code: code ?? 'ERR_ROOT',
      cause: error,
    });
  }
}
