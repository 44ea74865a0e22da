import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { type Context, ExitCode, ExitError, type Log, passedSockets, UsageError } from '@vm-tools/daemon';
import { close } from '@vm-tools/linux';
import type { HostFileSystemOptions } from '@vm-tools/p9-protocol/host';
import type { Address } from '@vm-tools/vsock';
import { Acceptor } from './acceptor.ts';
import { Clients } from './clients.ts';
import { Door, type DoorDescription, openDoor } from './door.ts';
import { describeExports, exportsOf, openExport } from './exports.ts';
import { isForGuests, openGuestDoors } from './guest-doors.ts';
import { idMap } from './id-map.ts';
import type { program } from './program.ts';
import { seal, startedOver, startOver } from './sandbox.ts';

/** What the Linux client asked for by default up to 5.15: too little to be fast. */
const SMALL_MSIZE = 8192;

type ServeContext = Context<typeof program.options, typeof program.operands>;

/** The descriptor of a directory that is served, and its name. */
interface Root {
  readonly name: string;
  readonly fd: number;
}

/** What 9s opens at its start; when it is confined it has these as descriptors, and could not open them any more. */
interface Opened {
  /** The directories, once and for all: whatever their paths lead to later, clients see these, and all of them the same. */
  readonly roots: readonly Root[];
  readonly doors: readonly DoorDescription[];
  /** Tells the service manager how 9s is. */
  readonly notify: number | undefined;
}

/** Serves until the process is told to end. */
export async function serve(context: ServeContext): Promise<undefined> {
  const { options, log, serviceManager } = context;
  const confined = startedOver<Opened>();
  if (confined) {
    const { parts, missing } = seal(confined.inForce);
    if (missing.length === 0) log.info(`sandbox: ${parts.join(', ')}`);
    else log.warn(`sandbox: ${parts.join(', ')}; without ${missing.join(', ')}`);
    serviceManager.adopt(confined.state.notify);
    await serveOpened(confined.state, context);
    return;
  }
  const opened = await openAll(context);
  if (options.sandbox !== 'off') await confine(opened, context);
  else {
    log.info('sandbox: off');
    await serveOpened(opened, context);
  }
}

/** Starts 9s over; what it does then begins in `serve`. */
async function confine(
  opened: Opened,
  { options, log, shutdown, serviceManager }: ServeContext,
): Promise<void> {
  const doors = opened.doors.map((door) => new Door(door));
  shutdown.onShutdown('stop listening', () => {
    for (const door of doors) door.close();
  });
  const notify = await serviceManager.connect().catch((error: unknown) => cannotTell(log, error));
  // A signal that Node.js has caught and not told yet would be lost. From here on one ends the process at once.
  await turn();
  if (shutdown.signal.aborted) return;
  shutdown[Symbol.dispose]();
  const roots = opened.roots.map(({ fd }) => fd);
  startOver<Opened>({
    required: options.sandbox === 'require',
    roots,
    readOnly: options.readOnly,
    deviceNodes: options.deviceNodes,
    actAsUser: options.actAsUser,
    socketFolders: doors.flatMap(({ description: { file } }) => (file ? [dirname(file.path)] : [])),
    descriptors: [...roots, ...doors.map(({ fd }) => fd), ...(notify === undefined ? [] : [notify])],
    state: { ...opened, notify },
  });
}

async function openAll({ options, operands }: ServeContext): Promise<Opened> {
  if (options.actAsUser && process.geteuid?.() !== 0) {
    throw new ExitError(
      "--act-as-user: only root can act as its clients' users; start 9s as root, or leave it out",
      {
        exitCode: ExitCode.noPermission,
        code: 'EPERM',
      },
    );
  }
  const addresses = whereToListen(operands.listen, options.socketGid);
  const acceptCids = guestsOf(addresses, options.acceptCid);
  // What is wrong with them is said before anyone can connect.
  fileSystemOptions(options, []);
  const roots = exportsOf(options).map((each): Root => ({ name: each.name, fd: openExport(each) }));
  const doors: DoorDescription[] = [];
  for (const address of addresses) {
    const { insecureListen: insecure, socketGid: gid } = options;
    if (address.kind === 'vsock') doors.push(...(await openGuestDoors(address, acceptCids)));
    else doors.push(await openDoor(address, { insecure, ...(gid === undefined ? {} : { gid }) }));
  }
  return { roots, doors, notify: undefined };
}

function fileSystemOptions(
  options: ServeContext['options'],
  roots: readonly Root[],
): Omit<HostFileSystemOptions, 'actAs'> {
  const { squash } = options;
  return {
    root: new Map(roots.map(({ name, fd }) => [name, `/proc/self/fd/${fd}`])),
    readOnly: options.readOnly,
    uidMap: idMap('--uid-map', options.uidMap),
    gidMap: idMap('--gid-map', options.gidMap),
    deviceNodes: options.deviceNodes,
    ignoreCase: options.ignoreCase,
    ...(squash ? { squash: { uid: squash[0], gid: squash[1] } } : {}),
  };
}

async function serveOpened({ roots, doors }: Opened, context: ServeContext): Promise<void> {
  const { options, log, shutdown, serviceManager } = context;
  if (options.msize <= SMALL_MSIZE) {
    log.warn(`--msize ${options.msize} is small: most time will go into round trips`);
  }
  // The client's system has applied the mask of the process that creates a file.
  process.umask(0);

  // The threads then share V8's own machine code, of which each would have a copy: 2.8 MB less for each, and not slower.
  setFlagsFromString('--no-short-builtin-calls');
  // Who starts over does not need it before.
  const { hostUsers, ThreadPool } = await import('@vm-tools/p9-protocol/host');
  const threads = new ThreadPool({
    options: {
      ...fileSystemOptions(options, roots),
      ...(options.actAsUser ? { actAs: hostUsers() } : {}),
    } satisfies HostFileSystemOptions,
    server: { msize: options.msize },
    threads: options.threads,
  });
  const clients = new Clients({
    log,
    max: options.maxConnections,
    serve: (fd, clientLog) => threads.serve(fd, { onWarning: (message) => clientLog.warn(message) }),
  });
  shutdown.onShutdown('finish the replies to clients', () => clients.shutdown());
  const served = describeExports(exportsOf(options));

  for (const description of doors) {
    const door = new Door(description);
    const { address, isInherited } = description;
    const acceptor = new Acceptor(door, {
      onConnection: (fd) => {
        const cid = door.cidOf(fd);
        if (!door.isForGuests) clients.add(fd, door.name.family);
        else if (cid !== undefined && options.acceptCid.includes(cid)) clients.add(fd, door.name.family, cid);
        else {
          close(fd);
          log.warn('connection refused: --accept-cid does not name this guest', { peer: `vsock:${cid}` });
        }
      },
      onShortage: (code) => log.warn('clients have to wait: no further connection can be accepted', { code }),
    });
    shutdown.onShutdown(`stop listening on ${address}`, () => acceptor.close());
    log.info('listening', {
      address,
      ...(isInherited ? { name: door.name } : {}),
      root: served,
      readOnly: options.readOnly,
    });
  }
  const status = `serving ${served} on ${doors.map(({ address }) => address).join(', ')}`;
  await serviceManager.notify({ ready: true, status }).catch((error: unknown) => cannotTell(log, error));
}

function cannotTell(log: Log, error: unknown): undefined {
  log.warn('the service manager cannot be told that 9s is ready', { error });
}

/** The guests that may connect; on vsock anyone could, without them. */
function guestsOf(addresses: readonly Address[], acceptCid: readonly number[]): readonly number[] {
  const hasVsock = addresses.some(isForGuests);
  if (hasVsock === acceptCid.length > 0) return acceptCid;
  throw new UsageError({
    code: hasVsock ? 'ERR_MISSING_OPTION' : 'ERR_CONFLICTING_OPTIONS',
    subject: '--accept-cid',
    problem: hasVsock ? 'is missing: every guest could connect' : 'only guests on a vsock have a CID',
    remedy: hasVsock
      ? 'write --accept-cid CID for each guest that may connect'
      : 'listen on vsock:PORT, or leave it out',
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
