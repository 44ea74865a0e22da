import type { Guest } from '@vm-tools/guest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeBinary, nodeReleases } from '../../../../test/packages/node-releases.ts';
import { checks } from './programs/checks.ts';
import { bootVsockGuest, type Outcome, runChecks } from './vsock-guest.ts';

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
});

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
