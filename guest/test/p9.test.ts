import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { bootGuest, type Guest } from '../src/index.ts';

let folder: string;
let guest: Guest;
const servers = new Map<string, ChildProcess>();

/** Starts a 9P server of its own process, in place of one that was killed. */
async function serve(name: string, greeting: string): Promise<void> {
  const socket = join(folder, `${name}.sock`);
  rmSync(socket, { force: true });
  const program = fileURLToPath(new URL('memory-server.ts', import.meta.url));
  const server = spawn(process.execPath, ['--conditions=@vm-tools/source', program, socket, greeting], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  servers.set(name, server);
  await once(createInterface(server.stdout), 'line');
}

function kill(name: string): void {
  servers.get(name)?.kill('SIGKILL');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "vm-tools-9p, it's-"));
  await Promise.all([serve('first', 'hello'), serve('second', 'hi')]);
  const socket = (name: string) => join(folder, `${name}.sock`);
  guest = await bootGuest({
    p9: { first: socket('first'), second: socket('second'), absent: socket('absent') },
  });
});

afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  for (const name of servers.keys()) kill(name);
  rmSync(folder, { recursive: true });
});

test('several mounts of several servers are used at once', async () => {
  await guest.mount9p('first', '/mnt/a');
  await guest.mount9p('first', '/mnt/b', { cache: 'mmap', msize: 65_536, access: 'any' });
  await guest.mount9p('second', '/mnt/c');
  const read = await Promise.all(['a', 'b', 'c'].map((name) => guest.sh(`cat /mnt/${name}/greeting`)));
  expect(read).toEqual(['hello', 'hello', 'hi']);
  const [, second] = (await guest.sh('grep " 9p " /proc/mounts')).split('\n');
  expect(second?.split(/[ ,]/)).toEqual(
    expect.arrayContaining(['/mnt/b', 'msize=65536', 'access=any', 'trans=fd']),
  );
  await guest.sh('echo from a > /mnt/a/file');
  expect(await guest.sh('cat /mnt/b/file')).toBe('from a\n');
  for (const name of ['a', 'b', 'c']) await guest.unmount(`/mnt/${name}`);
});

test('bulk data passes unchanged, both ways', async () => {
  await guest.mount9p('first', '/mnt/a');
  const sums = await guest.sh(
    'dd if=/dev/urandom of=/tmp/bulk bs=1M count=8 2>/dev/null; cp /tmp/bulk /mnt/a/bulk; md5sum < /tmp/bulk; md5sum < /mnt/a/bulk',
  );
  const [sent, received] = sums.split('\n');
  expect(received).toBe(sent);
  await guest.unmount('/mnt/a');
});

test('when the server is killed in the middle of a write, the writer fails and what follows fails too', async () => {
  await guest.mount9p('second', '/mnt/a');
  const writer = guest.exec(['sh', '-c', 'echo >&2; exec dd if=/dev/zero of=/mnt/a/file bs=64k']);
  await expect
    .poll(() => guest.sh('stat -c %s /mnt/a/file 2>/dev/null || echo 0').then(Number))
    .toBeGreaterThan(0);
  kill('second');
  expect((await writer).status).toBe(1);
  expect(await guest.exec(['cat', '/mnt/a/greeting'])).toMatchObject({ status: 1 });
  await guest.unmount('/mnt/a');
});

test('a server that was started anew is found at the next mount', async () => {
  kill('first');
  await serve('first', 'hello again');
  await guest.mount9p('first', '/mnt/a');
  expect(await guest.sh('cat /mnt/a/greeting')).toBe('hello again');
  await guest.unmount('/mnt/a');
});

test('a mount without a server fails, and says that on the host nobody answers', async () => {
  await expect(guest.mount9p('absent', '/mnt/a')).rejects.toMatchObject({
    code: 'ERR_GUEST_STATUS',
    message: expect.stringMatching(/No server answers on the host: connect ENOENT .*absent\.sock/),
  });
  await expect(guest.mount9p('unknown', '/mnt/a')).rejects.toThrow(
    'no 9P share "unknown"; bootGuest was given: first, second, absent',
  );
});

test('nothing but the shares is reached over the network, and the host least of all', async () => {
  const server = createServer((connection) => connection.end('reached'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  // 10.0.2.2 is the host's loopback in an unrestricted user network.
  for (const address of [`10.0.2.2 ${port}`, '10.0.2.100 565']) {
    const { status, stdout } = await guest.exec(['nc', '-w', '2', ...address.split(' ')]);
    expect({ address, status, stdout }).toEqual({ address, status: 1, stdout: '' });
  }
});
