import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, Code, createClient } from '@connectrpc/connect';
import { createVmTransport, serveRpc } from '@vm-tools/vm-rpc';
import { CrashListener } from '@vm-tools/vm-rpc/vm-crash';
import { hybridListenerPath, makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { consentByFile } from './consent.ts';
import { type CrashListenerOptions, crashListener } from './crash-listener.ts';

const PORT = 7779;
let folder: string;
let ends: (() => Promise<unknown>)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-crash-report-'));
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(folder, { recursive: true });
});

/** Serves the VMs 3 and 4, whose devices are in user space, and gives a client in each. */
async function serve(
  options: Partial<CrashListenerOptions> = {},
): Promise<[Client<typeof CrashListener>, Client<typeof CrashListener>]> {
  const handlers = crashListener({ directory: join(folder, 'crash'), consent: () => true, ...options });
  const run = join(folder, 'run');
  for (const cid of [3, 4]) makeVmDirectory(cid, run);
  const listen = { via: 'directories', runtimeDirectory: run } as const;
  const routes = (router: Parameters<Parameters<typeof serveRpc>[1]>[0]) =>
    router.service(CrashListener, handlers);
  const server = await serveRpc(`vsock::${PORT}`, routes, { listen });
  ends.push(() => server.close());
  const clientOf = (cid: number) => {
    const transport = createVmTransport(`unix:${hybridListenerPath(vmSocketPath(cid, run), PORT)}`);
    ends.push(() => transport.abort());
    return createClient(CrashListener, transport);
  };
  return [clientOf(3), clientOf(4)];
}

const minidump = Buffer.from('MDMP');

describe('a report', () => {
  test('of 20 MB is kept as it was sent, under the CID of the VM that sent it', async () => {
    const kept: unknown[] = [];
    const [, four] = await serve({ onReport: ({ cid, leftOut }) => kept.push({ cid, leftOut }) });
    const large = Buffer.alloc(20_000_000, 'abcdefg');
    large.write('MDMP');
    await four.sendCrashReport({ minidump: large, metadata: { exec_name: 'editor' }, processTree: 'init' });
    expect(kept).toEqual([{ cid: 4, leftOut: 0 }]);
    const name = readdirSync(join(folder, 'crash')).find((each) => each.endsWith('.4.dmp'));
    expect(readFileSync(join(folder, 'crash', name ?? '')).equals(large)).toBe(true);
  });

  test('goes to the directory of its VM, which alone can be full', async () => {
    const directory = ({ cid }: { cid: number }) => join(folder, `${cid}`);
    const [three, four] = await serve({ directory, maxReports: 1 });
    await three.sendCrashReport({ minidump });
    await expect(three.sendCrashReport({ minidump })).rejects.toMatchObject({ code: Code.ResourceExhausted });
    await four.sendCrashReport({ minidump });
    for (const cid of ['3', '4']) expect(readdirSync(join(folder, cid))).toHaveLength(3);
  });

  test.each([
    ['no', () => false],
    ['an error', () => Promise.reject(new Error('who knows'))],
    ['something else', () => 'no' as unknown as boolean],
  ])('is refused when the answer to the question for consent is %s', async (_, consent) => {
    const [three] = await serve({ consent });
    expect(await three.checkMetricsConsent({})).toMatchObject({ consentGranted: false });
    await expect(three.sendCrashReport({ minidump })).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
    expect(existsSync(join(folder, 'crash'))).toBe(false);
  });

  test('that cannot be written is an error that tells the VM nothing of the host', async () => {
    writeFileSync(join(folder, 'file'), '');
    const [three] = await serve({ directory: join(folder, 'file') });
    await expect(three.sendCrashReport({ minidump })).rejects.toMatchObject({
      code: Code.Internal,
      rawMessage: expect.not.stringContaining(folder),
    });
  });
});

test('consent by a file is given while it is there', async () => {
  const path = join(folder, 'consent');
  const [three] = await serve({ consent: consentByFile(path) });
  expect(await three.checkMetricsConsent({})).toMatchObject({ consentGranted: false });
  writeFileSync(path, '');
  expect(await three.checkMetricsConsent({})).toMatchObject({ consentGranted: true });
  await three.sendCrashReport({ minidump });
  rmSync(path);
  await expect(three.sendCrashReport({ minidump })).rejects.toMatchObject({ code: Code.FailedPrecondition });
});

test('a service that failed is told, by a name that is one line', async () => {
  const failures: unknown[] = [];
  const [three] = await serve({ onFailure: (failure) => failures.push(failure) });
  await three.sendFailureReport({ failedProcess: `lxd\n\x1b[2J${'x'.repeat(300)}` });
  expect(failures).toEqual([{ cid: 3, process: `lxd  [2J${'x'.repeat(248)}` }]);
  await expect(three.sendFailureReport({ failedProcess: '\n' })).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
});

describe('who is none of the VMs', () => {
  const calls = (client: Client<typeof CrashListener>) => [
    client.checkMetricsConsent({}),
    client.sendCrashReport({ minidump }),
    client.sendFailureReport({ failedProcess: 'x' }),
  ];

  test.each([
    ['a list', [4]],
    ['a set', new Set([4])],
    ['a function', (cid: number) => cid === 4],
  ])('by %s, may call nothing', async (_, acceptCids) => {
    const [three, four] = await serve({ acceptCids });
    for (const call of calls(three)) {
      await expect(call).rejects.toMatchObject({ code: Code.FailedPrecondition });
    }
    await Promise.all(calls(four));
  });

  test('having no CID, may call nothing', async () => {
    const handlers = crashListener({ directory: join(folder, 'crash'), consent: () => true });
    const address = `unix:${folder}/socket`;
    await using _ = await serveRpc(address, (router) => router.service(CrashListener, handlers));
    await using transport = createVmTransport(address);
    for (const call of calls(createClient(CrashListener, transport))) {
      await expect(call).rejects.toMatchObject({ code: Code.FailedPrecondition });
    }
  });
});
