import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';

/** A private directory, and what stands in it for a VM; gone with the test. */
export class Folder implements AsyncDisposable {
  readonly path = mkdtempSync(join(tmpdir(), 'vm-tools-vsock-'));
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /**
   * A VM's Unix socket, as Firecracker has it: `answer` is asked with the request line and the socket.
   * @returns its path
   */
  async vm(answer: (line: string, socket: Socket) => void, name = 'vm.sock'): Promise<string> {
    const path = join(this.path, name);
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket.on('error', () => undefined));
      let line = '';
      const onData = (data: Buffer) => {
        line += data;
        const end = line.indexOf('\n');
        if (end < 0) return;
        socket.off('data', onData).pause();
        if (end + 1 < line.length) socket.unshift(Buffer.from(line.slice(end + 1)));
        answer(line.slice(0, end), socket);
      };
      socket.on('data', onData);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) await new Promise((resolve) => server.close(resolve));
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Waits until something is so, however busy the machine is. */
export async function until(isSo: () => boolean): Promise<void> {
  await vi.waitUntil(isSo, { timeout: 90_000 });
}

/** Waits until the process has as few descriptors as before. */
export async function noMoreThan(before: number): Promise<void> {
  await until(() => openDescriptors() <= before).catch(() => undefined);
  expect(openDescriptors()).toBeLessThanOrEqual(before);
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
