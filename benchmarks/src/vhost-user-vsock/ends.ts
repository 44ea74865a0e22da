import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { P9_PORT, startServer } from './trees.ts';
import { type Workload, workloads } from './workloads.ts';

/** The programs at the host's end of both transports. */
export interface Ends extends AsyncDisposable {
  /** virtio-serial ports, by the program at their other end. */
  readonly ports: readonly { readonly name: string; readonly path: string }[];
  /** Where a program listens for the device. */
  pathOf(port: number): string;
}

/** Starts them: one where the device connects for each port, which virtio-serial connects to as well. */
export async function startEnds(
  program: string,
  { folder, bytes }: { readonly folder: string; readonly bytes: number },
): Promise<Ends> {
  const pathOf = (port: number) => join(folder, `vsock_${port}`);
  const children: ChildProcess[] = [];
  const end = async () => {
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }),
    );
  };
  try {
    for (const { end: what, port } of workloads) {
      const child = spawn(program, [what, pathOf(port), String(bytes)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      if (child.stdout) await once(child.stdout, 'data');
    }
    children.push(await startServer(folder, pathOf(P9_PORT)));
    while (!(await answers(pathOf(P9_PORT)))) await wait(20);
  } catch (error) {
    await end();
    throw error;
  }
  const ports = [
    ...workloads.map(({ end: name, port }) => ({ name, path: pathOf(port) })),
    { name: '9p', path: pathOf(P9_PORT) },
  ];
  return { ports, pathOf, [Symbol.asyncDispose]: end };
}

/** Whether someone listens there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/**
 * CPU time for a block of a C loop that does what the device does with it.
 * @param kickEvery nanoseconds between the kicks for which it waits, if it does
 */
export async function floorNanoseconds(
  program: string,
  ends: Ends,
  { end, port, block = 0 }: Workload,
  bytes: number,
  kickEvery?: number,
): Promise<number> {
  const args = [end === 'sink' ? 'push' : 'pull', ends.pathOf(port), String(bytes), String(block)];
  if (kickEvery !== undefined) args.push(String(Math.round(kickEvery)));
  return Number((await promisify(execFile)(program, args)).stdout);
}
