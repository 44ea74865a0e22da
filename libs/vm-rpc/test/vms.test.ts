import { existsSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Code, createClient } from '@connectrpc/connect';
import { hybridListenerPath, makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { beforeEach, expect, test, vi } from 'vitest';
import { Maitred } from '../src/gen/vm_guest_pb.ts';
import { admitCids, callerOf, createVmTransport, serveRpc } from '../src/index.ts';
import { temporaryFolder } from './folder.ts';

let folder: string;

beforeEach(() => {
  const temporary = temporaryFolder();
  folder = temporary.path;
  return () => temporary[Symbol.dispose]();
});

const PORT = 8888;
const anyVm = `vsock::${PORT}`;
const hello: Parameters<typeof serveRpc>[1] = (router) =>
  router.service(Maitred, {
    getKernelVersion: (_, context) => {
      const caller = callerOf(context);
      return { kernelRelease: caller.kind === 'vsock' ? `CID ${caller.cid} by ${caller.by}` : caller.kind };
    },
    resetIPv6: () => ({}),
  });

/** How the device of a VM connects to the host: the guest has asked for this port of CID 2. */
const fromVm = (cid: number) =>
  createVmTransport(`unix:${hybridListenerPath(vmSocketPath(cid, folder), PORT)}`);

/** A device's socket, for connections to the guest: has those go on at `target` (Firecracker's handshake). */
async function device(path: string, target: string): Promise<Server> {
  const server = createServer((host) => {
    host.once('data', (line) => {
      expect(String(line)).toBe(`CONNECT ${PORT}\n`);
      const guest = connect(target, () => {
        host.write('OK 1073741824\n');
        host.pipe(guest).pipe(host);
      });
      guest.on('error', () => host.destroy());
      host.on('error', () => guest.destroy()).on('close', () => guest.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

test('one server is there for every VM, and knows each by its CID', async () => {
  makeVmDirectory(3, folder);
  const listen = { via: 'directories', runtimeDirectory: folder } as const;
  await using server = await serveRpc(anyVm, hello, { listen });
  await using three = fromVm(3);
  expect(await createClient(Maitred, three).getKernelVersion({})).toMatchObject({
    kernelRelease: 'CID 3 by directory',
  });
  // A VM that comes later.
  makeVmDirectory(4, folder);
  const path = hybridListenerPath(vmSocketPath(4, folder), PORT);
  await vi.waitUntil(() => existsSync(path), { timeout: 60_000 });
  await using four = fromVm(4);
  expect(await createClient(Maitred, four).getKernelVersion({})).toMatchObject({
    kernelRelease: 'CID 4 by directory',
  });
  expect(server.connections).toBe(2);
});

test('a VM that is not accepted does not get as far as a call, and one that is accepted later does', async () => {
  for (const cid of [3, 4]) makeVmDirectory(cid, folder);
  const accepted = new Set([3]);
  const refused: unknown[] = [];
  await using server = await serveRpc(anyVm, hello, {
    acceptCids: accepted,
    onRefused: (peer, { message }) => refused.push([peer, message]),
    listen: { via: 'directories', runtimeDirectory: folder },
  });
  await using three = fromVm(3);
  await using four = fromVm(4);
  await createClient(Maitred, three).resetIPv6({});
  const call = createClient(Maitred, four).resetIPv6({});
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  expect(refused[0]).toEqual([
    expect.objectContaining({ kind: 'vsock', cid: 4 }),
    expect.stringContaining('CID 4 is not accepted'),
  ]);
  accepted.add(4);
  await createClient(Maitred, four).resetIPv6({});
  expect(server.connections).toBe(2);
});

test('a service lets only those VMs call that its interceptor admits', async () => {
  for (const cid of [3, 4]) makeVmDirectory(cid, folder);
  const admitted = new Set([3]);
  await using server = await serveRpc(
    anyVm,
    (router) => router.service(Maitred, { resetIPv6: () => ({}) }, { interceptors: [admitCids(admitted)] }),
    { listen: { via: 'directories', runtimeDirectory: folder } },
  );
  await using three = fromVm(3);
  await using four = fromVm(4);
  await createClient(Maitred, three).resetIPv6({});
  await expect(createClient(Maitred, four).resetIPv6({})).rejects.toMatchObject({
    code: Code.PermissionDenied,
    rawMessage: 'CID 4 may not call ResetIPv6',
  });
  admitted.add(4);
  await createClient(Maitred, four).resetIPv6({});
  await using local = await serveRpc(`unix:${join(folder, 'local.sock')}`, (router) =>
    router.service(Maitred, { resetIPv6: () => ({}) }, { interceptors: [admitCids(() => true)] }),
  );
  await using user = createVmTransport(local.address);
  await expect(createClient(Maitred, user).resetIPv6({})).rejects.toMatchObject({
    code: Code.PermissionDenied,
    rawMessage: 'a caller without a CID may not call ResetIPv6',
  });
  expect(server.connections).toBe(2);
});

test('a guest is called by its CID, through the socket of its device', async () => {
  makeVmDirectory(3, folder);
  const inGuest = join(folder, 'in-guest.sock');
  await using server = await serveRpc(`unix:${inGuest}`, hello);
  const vm = await device(vmSocketPath(3, folder), inGuest);
  await using transport = createVmTransport(`vsock:3:${PORT}`, { dial: { runtimeDirectory: folder } });
  expect(await createClient(Maitred, transport).getKernelVersion({})).toMatchObject({
    kernelRelease: 'unix',
  });
  expect(server.connections).toBe(1);
  vm.close();
});

test('a guest is called by a hybrid address, as Firecracker has it, and calls the host by one', async () => {
  const path = join(folder, 'firecracker.sock');
  const inGuest = join(folder, 'in-guest.sock');
  await using guest = await serveRpc(`unix:${inGuest}`, hello);
  const vm = await device(path, inGuest);
  await using toGuest = createVmTransport(`hybrid:${path}:${PORT}`);
  expect(await createClient(Maitred, toGuest).getKernelVersion({})).toMatchObject({ kernelRelease: 'unix' });
  await using host = await serveRpc(`hybrid:${path}:${PORT}`, hello);
  await using toHost = createVmTransport(`unix:${hybridListenerPath(path, PORT)}`);
  expect(await createClient(Maitred, toHost).getKernelVersion({})).toMatchObject({ kernelRelease: 'hybrid' });
  expect([guest.connections, host.connections]).toEqual([1, 1]);
  vm.close();
});
