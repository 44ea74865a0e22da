import { readFileSync } from 'node:fs';
import { Code, createClient } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { Maitred } from '../src/gen/vm_guest_pb.ts';
import { callerOf, createVmTransport, RpcError, serveRpc } from '../src/index.ts';

const read = (name: string) => readFileSync(new URL(`./data/tls/${name}`, import.meta.url));
const ca = read('authority.pem');
const server = { cert: read('server.pem'), key: read('server.key') };
const client = { cert: read('client.pem'), key: read('client.key') };

const routes: Parameters<typeof serveRpc>[1] = (router) =>
  router.service(Maitred, { getKernelVersion: (_, context) => ({ kernelRelease: callerOf(context).kind }) });

test('beyond loopback nobody serves over TCP without TLS', async () => {
  await expect(serveRpc('tcp:0.0.0.0:0', routes)).rejects.toMatchObject({
    name: 'RpcError',
    code: 'ERR_RPC_TLS_REQUIRED',
    message: expect.stringContaining('give the option tls'),
  });
});

test.each(['tcp:192.0.2.1:8888', 'tcp:[2001:db8::1]:8888', 'tcp:[fe80::1%eth0]:8888', 'tcp:vm.example:8888'])(
  'and nobody connects to %s without TLS',
  (address) => {
    expect(() => createVmTransport(address)).toThrow(RpcError);
    expect(() => createVmTransport(address, { tls: {} })).not.toThrow();
  },
);

test('on loopback there may be none', async () => {
  await using serving = await serveRpc('tcp:127.0.0.1:0', routes);
  await using transport = createVmTransport(serving.address);
  expect(await createClient(Maitred, transport).getKernelVersion({})).toMatchObject({ kernelRelease: 'tcp' });
});

test('with TLS everybody may listen, and the caller is known all the same', async () => {
  await using serving = await serveRpc('tcp:0.0.0.0:0', routes, { tls: server });
  const { address } = serving;
  const port = address.kind === 'tcp' ? address.port : 0;
  for (const host of ['127.0.0.1', 'localhost']) {
    await using transport = createVmTransport(`tcp:${host}:${port}`, { tls: { ca } });
    expect(await createClient(Maitred, transport).getKernelVersion({})).toMatchObject({
      kernelRelease: 'tcp',
    });
  }
});

test.each([
  ['is not trusted', {}, /self-signed|unable to verify|certificate/],
  ['is of another host', { ca, servername: 'vm.example' }, /altnames/],
])('a server whose certificate %s is not talked to', async (_, tls, problem) => {
  await using serving = await serveRpc('tcp:127.0.0.1:0', routes, { tls: server });
  await using transport = createVmTransport(serving.address, { tls });
  const call = createClient(Maitred, transport).getKernelVersion({});
  await expect(call).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringMatching(problem),
    cause: { code: 'ERR_RPC_LOST' },
  });
});

test('a server that asks for certificates talks to nobody without one', async () => {
  const tls = { ...server, ca, requestCert: true, rejectUnauthorized: true };
  await using serving = await serveRpc('tcp:127.0.0.1:0', routes, { tls });
  await using nobody = createVmTransport(serving.address, { tls: { ca } });
  const call = createClient(Maitred, nobody).getKernelVersion({});
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  await using somebody = createVmTransport(serving.address, { tls: { ca, ...client } });
  await createClient(Maitred, somebody).getKernelVersion({});
});

test('a client without TLS gets nothing from a server with it', async () => {
  await using serving = await serveRpc('tcp:127.0.0.1:0', routes, { tls: server });
  await using transport = createVmTransport(serving.address);
  const call = createClient(Maitred, transport).getKernelVersion({});
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
});
