import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { type Listener, listen } from '@vm-tools/vsock';
import { type Forwarder, VmError } from './forwarder.ts';
import { vmOf } from './vm.ts';

/** A line has a name and an owner at most. */
const LONGEST_LINE = 4096;

type Answer = { readonly ok: true; readonly vms?: unknown } | { readonly ok: false; readonly error: string };

/** Takes commands, a line of JSON each, at a Unix socket of mode 0600, and answers each by one. @throws VsockError */
export async function openControlSocket(path: string, forwarder: Forwarder): Promise<Listener> {
  return await listen({ kind: 'unix', path }, { mode: 0o600 }, (socket) => {
    void converse(socket, forwarder);
  });
}

async function converse(socket: Socket, forwarder: Forwarder): Promise<void> {
  socket.on('error', () => undefined);
  let pending = 0;
  socket.on('data', (chunk: Buffer) => {
    pending = chunk.includes(0x0a) ? chunk.length - chunk.lastIndexOf(0x0a) - 1 : pending + chunk.length;
    if (pending > LONGEST_LINE) socket.destroy();
  });
  for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue;
    const answer = await obey(line, forwarder);
    if (!socket.writable) return;
    socket.write(`${JSON.stringify(answer)}\n`);
  }
}

async function obey(line: string, forwarder: Forwarder): Promise<Answer> {
  try {
    const command = JSON.parse(line) as Readonly<Record<string, unknown>> | null;
    switch (command?.['do']) {
      case 'add': {
        const { cid, name, owner } = command;
        await forwarder.add(vmOf({ cid, name, owner }));
        return { ok: true };
      }
      case 'remove':
        if (typeof command['cid'] !== 'number') throw new VmError('"cid" is missing, or no number');
        await forwarder.remove(command['cid']);
        return { ok: true };
      case 'list':
        return { ok: true, vms: forwarder.list() };
      default:
        return { ok: false, error: '"do" is to be "add", "remove" or "list"' };
    }
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  }
}
