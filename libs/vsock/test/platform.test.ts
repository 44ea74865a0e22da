import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Calls what needs sockets, and prints what is thrown. */
const source = `
  import * as vsock from '@vm-tools/vsock';
  const calls = {
    connect: () => vsock.connect({ cid: 1, port: 1 }),
    listenSeqpacket: () => vsock.listenSeqpacket({ port: 1 }),
    connectSeqpacket: () => vsock.connectSeqpacket({ cid: 1, port: 1 }),
    openDatagramSocket: () => vsock.openDatagramSocket(),
    connectHybrid: () => vsock.connectHybrid({ path: '/tmp/vm.sock', port: 1, allowAnyUser: true }),
    vsockFeatures: () => vsock.vsockFeatures(),
    server: () => new Promise((_, reject) => vsock.createServer().on('error', reject).listen({ port: 1 })),
    fromFd: () => vsock.fromFd(0),
    dial: () => vsock.dial('unix:/tmp/x'),
    listen: () => vsock.listen('vsock:1'),
    listenUnix: () => vsock.listen('unix-abstract:x'),
    listenDescriptors: () => vsock.listenDescriptors('vsock:1', { onConnection() {} }),
  };
  const messages = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      await call();
      messages[name] = 'no error';
    } catch (error) {
      messages[name] = error.code + ' ' + error.message;
    }
  }
  console.log(JSON.stringify({ messages, address: vsock.parseAddress('vsock:3:1', { for: 'connect' }) }));`;

test('on another system the package loads, and every call throws one clear error', () => {
  const pretend = "data:text/javascript,Object.defineProperty(process,'platform',{value:'darwin'})";
  const flags = [
    '--conditions=@vm-tools/source',
    '--disable-warning=ExperimentalWarning',
    '--import',
    pretend,
  ];
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, '--input-type=module-typescript', '--eval', source],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  const { messages, address } = JSON.parse(stdout) as { messages: Record<string, string>; address: unknown };
  expect(address).toEqual({ kind: 'vsock', cid: 3, port: 1 });
  expect(Object.keys(messages)).toHaveLength(12);
  for (const [call, message] of Object.entries(messages)) {
    expect(message, call).toBe(
      `ERR_UNSUPPORTED_PLATFORM @vm-tools/linux cannot make system calls on darwin-${process.arch}: ` +
        'it consists of Linux system calls; run this part of your program on Linux',
    );
  }
});
