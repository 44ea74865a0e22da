import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { ProgramNotFoundError } from '../errors.ts';
import type { StartOptions, VmOptions } from '../vm-options.ts';
import { qemuArguments } from './command-line.ts';

/** A QEMU that runs, and our ends of the sockets that it inherited. */
export interface QemuProcess {
  readonly child: ChildProcess;
  readonly qmp: Socket;
  readonly console: Socket;
  readonly ports: ReadonlyMap<string, Socket>;
}

const FIRST_SOCKET = 3;

/**
 * Runs under /bin/sh between fork and QEMU, PR_SET_PDEATHSIG being set already: a parent that died before it was set sends
 * no signal, but is no parent any more either.
 */
const STILL_MY_CHILD = '[ "$PPID" = "$0" ] && exec "$@"';

/** Starts QEMU; it has not read its arguments yet when this resolves. Rejects with ProgramNotFoundError. */
export async function spawnQemu(options: VmOptions & StartOptions): Promise<QemuProcess> {
  const streams = (options.ports ?? []).filter(
    ({ connect, listen }) => connect === undefined && listen === undefined,
  );
  const ports = new Map(streams.map(({ name }, index) => [name, FIRST_SOCKET + 2 + index]));
  const { vsock } = options;
  const inherited = vsock && 'fd' in vsock ? [vsock.fd] : [];
  const sockets = {
    qmp: FIRST_SOCKET,
    console: FIRST_SOCKET + 1,
    ports,
    ...(inherited.length > 0 ? { vsock: FIRST_SOCKET + 2 + ports.size } : {}),
  };
  const qemu = options.qemu ?? 'qemu-system-x86_64';
  const command = [qemu, ...qemuArguments(options, sockets)];
  if (options.endWithParent !== false) command.unshift(...guarded(options.sandbox !== false));

  // A "pipe" of Node's is one end of a Unix stream socket pair: both directions, no path, gone with its holders.
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: [
      ...(['ignore', 'ignore', 'pipe'] as const),
      ...Array.from({ length: 2 + ports.size }, () => 'pipe' as const),
      ...inherited,
    ],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const program = command[0] as string;
      reject(
        cause.code === 'ENOENT' || cause.code === 'EACCES'
          ? new ProgramNotFoundError(program, remedyFor(program, qemu), { cause })
          : cause,
      );
    });
  });
  const socket = (fd: number) => child.stdio[fd] as unknown as Socket;
  return {
    child,
    qmp: socket(sockets.qmp),
    console: socket(sockets.console),
    ports: new Map([...ports].map(([name, fd]) => [name, socket(fd)])),
  };
}

function guarded(sandbox: boolean): string[] {
  const privileges = sandbox ? ['--no-new-privs'] : [];
  return [
    'setpriv',
    ...privileges,
    '--pdeathsig',
    'KILL',
    '/bin/sh',
    '-c',
    STILL_MY_CHILD,
    String(process.pid),
  ];
}

/** What /bin/sh says by its exit status when QEMU itself could not be run (POSIX sh: 127 not found, 126 not executable). */
export function notFoundByShell(
  status: number | null,
  options: StartOptions,
): ProgramNotFoundError | undefined {
  if (options.endWithParent === false || (status !== 127 && status !== 126)) return undefined;
  const qemu = options.qemu ?? 'qemu-system-x86_64';
  return new ProgramNotFoundError(qemu, remedyFor(qemu, qemu));
}

function remedyFor(program: string, qemu: string): string {
  if (program !== qemu)
    return 'install it with: apt-get install util-linux (or set "endWithParent" to false)';
  return `install it with: apt-get install --no-install-recommends ${qemu.includes('aarch64') ? 'qemu-system-arm' : 'qemu-system-x86'}`;
}
