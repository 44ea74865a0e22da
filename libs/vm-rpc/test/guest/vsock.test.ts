import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { bootGuest, type Guest, guestProgram } from '@vm-tools/guest';
import { makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CrashListener } from '../../src/gen/vm_crash_pb.ts';
import { Maitred } from '../../src/gen/vm_guest_pb.ts';
import { createVmTransport, serveRpc } from '../../src/index.ts';
import { temporaryFolder } from '../folder.ts';
import { checks } from './programs/checks.ts';
import { hello } from './programs/hello.ts';

const program = guestProgram(fileURLToPath(new URL('./programs/main.ts', import.meta.url)), 'vm-rpc');

interface Outcome {
  readonly name: string;
  readonly error?: string;
}

const argv = ['/usr/local/bin/node', program.path];
let guest: Guest;

beforeAll(async () => {
  guest = await bootGuest({ node: true, memory: 1536, modules: ['vsock_loopback'], files: program.files });
}, 300_000);
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
});

describe('over AF_VSOCK in a guest', () => {
  const outcomes = new Map<string, Outcome>();

  beforeAll(async () => {
    const { status, signal, stdout, stderr } = await guest.exec(argv, { timeoutMs: 570_000 });
    for (const line of stdout.split('\n').filter((each) => each.startsWith('{'))) {
      const outcome = JSON.parse(line) as Outcome;
      outcomes.set(outcome.name, outcome);
    }
    const last = [...outcomes.keys()].at(-1) ?? 'none';
    expect(status, `the checks ended with ${status ?? signal} after "${last}": ${stderr}`).toBe(0);
  }, 600_000);

  test.each(Object.keys(checks))('%s', (name) => {
    expect(outcomes.get(name)).toEqual({ name });
  });
});

describe('between the host and a guest, by the virtio transport', () => {
  const CID = 3;
  const folder = temporaryFolder();
  const runtimeDirectory = folder.path;

  beforeAll(async () => {
    makeVmDirectory(CID, runtimeDirectory);
    await guest.vsock.serve(vmSocketPath(CID, runtimeDirectory));
  });
  afterAll(() => folder[Symbol.dispose]());

  test('the host calls a service of the guest, which knows it by CID 2, and hands it 8 MiB', async () => {
    const server = await guest.spawn([...argv, 'serve', 'vsock::8890']);
    const said = await new Promise((resolve) => server.stdout.once('data', (data) => resolve(String(data))));
    expect(said).toBe('serves\n');
    await using transport = createVmTransport(`vsock:${CID}:8890`, { dial: { runtimeDirectory } });
    const { kernelRelease } = await createClient(Maitred, transport).getKernelVersion({});
    expect(JSON.parse(kernelRelease)).toMatchObject({ kind: 'vsock', cid: 2, by: 'kernel' });
    const minidump = Buffer.alloc(8 << 20, 'x');
    const metadata = { size: String(minidump.length) };
    await createClient(CrashListener, transport).sendCrashReport({ minidump, metadata });
  }, 600_000);

  test('a guest calls a service of the host, which knows it by its CID', async () => {
    await using _ = await serveRpc('vsock::8891', hello(), {
      acceptCids: [CID],
      listen: { via: 'directories', runtimeDirectory },
    });
    const answer = await guest.run([...argv, 'call', 'vsock:host:8891'], { timeoutMs: 590_000 });
    expect(JSON.parse(answer)).toMatchObject({ kind: 'vsock', cid: CID, by: 'directory' });
  }, 600_000);
});
