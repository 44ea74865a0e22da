import { fileURLToPath } from 'node:url';
import { bootGuest, type Guest, guestProgram } from '@vm-tools/guest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checks } from './programs/checks.ts';

const program = guestProgram(fileURLToPath(new URL('./programs/main.ts', import.meta.url)), 'vm-rpc');

interface Outcome {
  readonly name: string;
  readonly error?: string;
}

describe('over AF_VSOCK in a guest', () => {
  let guest: Guest;
  const outcomes = new Map<string, Outcome>();

  beforeAll(async () => {
    guest = await bootGuest({ node: true, memory: 1536, modules: ['vsock_loopback'], files: program.files });
    const argv = ['/usr/local/bin/node', program.path];
    const { status, signal, stdout, stderr } = await guest.exec(argv, { timeoutMs: 570_000 });
    for (const line of stdout.split('\n').filter((each) => each.startsWith('{'))) {
      const outcome = JSON.parse(line) as Outcome;
      outcomes.set(outcome.name, outcome);
    }
    const last = [...outcomes.keys()].at(-1) ?? 'none';
    expect(status, `the checks ended with ${status ?? signal} after "${last}": ${stderr}`).toBe(0);
  }, 700_000);
  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
  });

  test.each(Object.keys(checks))('%s', (name) => {
    expect(outcomes.get(name)).toEqual({ name });
  });
});
