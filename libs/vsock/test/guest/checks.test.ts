import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Guest } from '@vm-tools/guest';
import * as linux from '@vm-tools/linux';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeBinary, nodeReleases } from '../../../../test/packages/node-releases.ts';
import { checks } from './programs/checks.ts';
import { bootVsockGuest, type Outcome, program, runChecks } from './vsock-guest.ts';

const namesOf = (set: string) => Object.keys(checks[set] as object);
/** A machine that is busy with other things gives a guest little. */
const PATIENCE_MS = 900_000;
const polled = { VM_TOOLS_VSOCK_SOCKETS: 'polled' };

/** Runs a set in a guest once, when its first check is asked for. */
function describeSet(title: string, set: string, guest: () => Guest, env: Record<string, string> = {}): void {
  describe(title, () => {
    let outcomes: Map<string, Outcome>;
    beforeAll(async () => {
      outcomes = await runChecks(guest(), set, env);
    }, PATIENCE_MS);
    it.each(namesOf(set))('%s', (name) => {
      expect(outcomes.get(name)).toEqual({ name });
    });
  });
}

describe.each(nodeReleases)('over the loopback of a guest, on Node %s', (release) => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await bootVsockGuest({ node: nodeBinary(release) });
  });
  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
  });

  describeSet('by handles of libuv', 'streams', () => guest);
  if (release !== nodeReleases[1]) return;
  describeSet('by polling', 'streams', () => guest, polled);
  describeSet('in any style', 'rest', () => guest);

  it('connecting ends when its time is up, and leaves no descriptor', { timeout: PATIENCE_MS }, async () => {
    using crowded = crowdedSocket();
    await guest.vsock.listen(7000, { path: crowded.path });
    const argv = ['/usr/local/bin/node', program.path, 'impatient', '7000'];
    const outcome = JSON.parse(await guest.run(argv, { timeoutMs: PATIENCE_MS })) as unknown;
    expect(outcome).toEqual({ outcomes: ['ERR_VSOCK_TIMEOUT'], left: 0 });
  });
});

/** A Unix socket whose backlog is full: the guest's device waits for a place before it answers. */
function crowdedSocket(): Disposable & { readonly path: string } {
  const { AF_UNIX, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-vsock-'));
  const path = join(folder, 'crowded.sock');
  const fds = Array.from({ length: 3 }, () => linux.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK));
  const [listener = -1, first = -1, second = -1] = fds;
  linux.bind(listener, { family: 'unix', path });
  linux.listen(listener, 0);
  linux.connect(first, { family: 'unix', path });
  expect(() => linux.connect(second, { family: 'unix', path })).toThrow(/EAGAIN/);
  return {
    path,
    [Symbol.dispose]: () => {
      for (const fd of fds) linux.close(fd);
      rmSync(folder, { recursive: true });
    },
  };
}

describe('with a transport that has datagrams', () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await bootVsockGuest({ modules: ['vsock_loopback', 'vmw_vsock_vmci_transport'] });
  });
  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
  });

  describeSet('of VMware', 'datagrams', () => guest);
});
