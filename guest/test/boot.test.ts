import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootGuest, type Guest, prepareGuest } from '../src/index.ts';

let guest: Guest;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-guest-test-'));
  writeFileSync(join(folder, 'tool'), '#!/bin/sh\necho "tool $1"\n', { mode: 0o755 });
  guest = await bootGuest({
    modules: ['vsock_loopback', 'ramoops mem_address=0x8000000 mem_size=0x100000 record_size=0x20000'],
    cmdline: 'memmap=0x100000$0x8000000',
    files: { '/opt/tools': folder, '/tmp/data/bytes': Buffer.from([0, 255, 10]) },
  });
});

afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe('a program in the guest', () => {
  test('has arguments, environment, folder and input, and gives output and status', async () => {
    const script = 'echo "$1 $COLOUR $PWD"; cat; echo error >&2; exit 3';
    const result = await guest.exec(['sh', '-c', script, 'sh', 'a  b'], {
      env: { COLOUR: 'grün' },
      cwd: '/opt',
      input: 'from stdin\n',
    });
    expect(result).toEqual({
      status: 3,
      signal: null,
      stdout: 'a  b grün /opt\nfrom stdin\n',
      stdoutBytes: Buffer.from('a  b grün /opt\nfrom stdin\n'),
      stderr: 'error\n',
    });
  });

  test('may be ended by a signal', async () => {
    expect(await guest.exec(['sh', '-c', 'kill -USR1 $$'])).toMatchObject({
      status: null,
      signal: 'SIGUSR1',
    });
  });

  test('runs as another user', async () => {
    expect((await guest.exec(['id'], { uid: 1000, gid: 1000 })).stdout).toBe(
      'uid=1000(user) gid=1000(user)\n',
    );
  });

  test('takes and gives more than any buffer holds, unchanged', async () => {
    const input = Buffer.alloc(3_000_000, 'all work and no play ');
    const { stdoutBytes } = await guest.exec(['cat'], { input });
    expect(stdoutBytes.equals(input)).toBe(true);
  });

  test('need not read its input', async () => {
    expect(await guest.exec(['true'], { input: Buffer.alloc(2_000_000) })).toMatchObject({ status: 0 });
    const slow = 'exec 0<&-; sleep 0.2; echo done';
    expect(await guest.exec(['sh', '-c', slow], { input: Buffer.alloc(2_000_000) })).toMatchObject({
      stdout: 'done\n',
    });
  });

  test('runs beside others, in the order of their time', async () => {
    const order: string[] = [];
    const run = (script: string) => guest.sh(script).then((output) => order.push(output));
    await Promise.all([
      run('until [ -e /tmp/go ]; do sleep 0.05; done; echo -n second'),
      run('touch /tmp/go; echo -n first'),
    ]);
    expect(order.sort()).toEqual(['first', 'second']);
  });

  test('is talked to while it runs', async () => {
    const process = await guest.spawn([
      'sh',
      '-c',
      'echo ready; read line; echo "got $line"; exec sleep 1000',
    ]);
    process.stdout.setEncoding('utf8');
    let output = '';
    process.stdout.on('data', (chunk: string) => {
      output += chunk;
    });
    await expect.poll(() => output).toBe('ready\n');
    process.stdin.write('word\n');
    await expect.poll(() => output).toBe('ready\ngot word\n');
    process.kill();
    expect(await process.exited).toEqual({ status: null, signal: 'SIGTERM' });
    expect(await text(process.stderr)).toBe('');
  });

  test('does not wait for what it leaves in the background', async () => {
    expect(await guest.sh('sleep 1000 >/dev/null 2>&1 & echo started')).toBe('started\n');
  });

  test('is refused when 64 run already', async () => {
    const starts = await Promise.allSettled(Array.from({ length: 66 }, () => guest.spawn(['sleep', '1000'])));
    const running = starts.filter((start) => start.status === 'fulfilled').map(({ value }) => value);
    const refused = starts.filter((start) => start.status === 'rejected').map(({ reason }) => String(reason));
    for (const process of running) process.kill('SIGKILL');
    for (const process of running) expect(await process.exited).toEqual({ status: null, signal: 'SIGKILL' });
    expect(running).toHaveLength(64);
    expect(refused).toEqual([expect.stringContaining('64 programs run already'), expect.any(String)]);
    expect(await guest.sh('echo again')).toBe('again\n');
  });

  test('that is not there is an error with its name', async () => {
    await expect(guest.exec(['/no/such'])).rejects.toMatchObject({
      name: 'GuestError',
      code: 'ERR_GUEST_START',
      message: expect.stringMatching(
        /^\/no\/such: could not be started: \/no\/such: No such file or directory/,
      ),
    });
    await expect(guest.exec(['true'], { cwd: '/nowhere' })).rejects.toThrow(/\/nowhere: No such file/);
  });

  test('that takes too long is killed, with its children', async () => {
    const running = guest.exec(['sh', '-c', 'sleep 4321 & wait'], { timeoutMs: 300 });
    await expect(running).rejects.toMatchObject({ code: 'ERR_GUEST_TIMEOUT' });
    await expect.poll(() => guest.sh('pgrep -f "sleep 4321" || true')).toBe('');
  });

  test('ends by its signal', async () => {
    const reason = new Error('enough');
    const abort = new AbortController();
    const running = guest.exec(['sleep', '5432'], { signal: abort.signal });
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
    await expect(guest.exec(['true'], { signal: abort.signal })).rejects.toBe(reason);
    await expect.poll(() => guest.sh('pgrep -f "sleep 5432" || true')).toBe('');
  });

  test('that must not fail says what it wrote, and shows the kernel log', async () => {
    await guest.sh('echo a line of the kernel log > /dev/kmsg');
    await guest.console.waitFor('a line of the kernel log', { timeoutMs: 90_000 });
    await expect(guest.sh('echo out; echo err >&2; exit 7')).rejects.toMatchObject({
      code: 'ERR_GUEST_STATUS',
      message: expect.stringMatching(
        /ended with status 7\nout\nerr\nIts console ends with:\n(?:.*\n)*.*a line of the kernel log/,
      ),
    });
  });
});

test('files are written and read, whatever is in them', async () => {
  const data = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index & 255));
  await guest.writeFile('/root/new folder/$(name)', data, { mode: 0o600 });
  expect((await guest.readFile('/root/new folder/$(name)')).equals(data)).toBe(true);
  expect(await guest.sh("stat -c %a '/root/new folder/$(name)'")).toBe('600\n');
  await expect(guest.readFile('/root/absent')).rejects.toThrow(/absent.*No such file/);
});

test('files given at boot are there, executable, also below what is mounted later', async () => {
  expect(await guest.run(['/opt/tools/tool', 'x'])).toBe('tool x\n');
  expect(await guest.readFile('/tmp/data/bytes')).toEqual(Buffer.from([0, 255, 10]));
  expect(await guest.sh('stat -c %a /tmp')).toBe('1777\n');
});

test('modules are loaded with their parameters and what they depend on', async () => {
  expect(await guest.sh('cat /sys/module/ramoops/parameters/mem_size')).toBe('1048576\n');
  expect(await guest.sh('lsmod')).toMatch(/^vsock_loopback /m);
});

test('the clocks of the guest run as those of the host', async () => {
  const before = performance.now();
  const seconds = await guest.sh(
    'read a b < /proc/uptime; sleep 2; read c d < /proc/uptime; echo "$c - $a" | bc',
  );
  const elapsed = (performance.now() - before) / 1000;
  expect(Number(seconds)).toBeGreaterThan(1.9);
  expect(Number(seconds)).toBeLessThan(elapsed + 0.5);
});

test('there is no network', async () => {
  expect(await guest.sh('ls /sys/class/net')).toBe('lo\n');
});

test('the second preparation of the same guest builds nothing', async () => {
  const contents = { modules: ['vsock_loopback'] };
  const first = await prepareGuest(contents);
  const path = process.env['PATH'];
  process.env['PATH'] = '/usr/bin:/bin';
  try {
    expect(await prepareGuest(contents)).toEqual(first);
  } finally {
    process.env['PATH'] = path;
  }
});

test('a guest that panics ends what waits for it, and shows why', async () => {
  const ends = await Promise.allSettled([
    guest.exec(['sleep', '1000']),
    guest.sh('echo c > /proc/sysrq-trigger'),
  ]);
  for (const [index, program] of ['sleep 1000', '/bin/sh -ec echo c'].entries())
    expect(ends[index]).toMatchObject({
      reason: {
        code: 'ERR_GUEST_ENDED',
        message: expect.stringMatching(
          new RegExp(`^${program}.*: the guest has ended\n(?:.*\n)*.*sysrq triggered crash`),
        ),
      },
    });
  await expect(guest.exec(['true'])).rejects.toMatchObject({ code: 'ERR_GUEST_ENDED' });
  expect(await guest.exited).toEqual({ code: 0, signal: null });
});

test('a guest powers off when it is told to, and says so on its console', async () => {
  await using other = await bootGuest();
  expect(await other.powerOff()).toEqual({ code: 0, signal: null });
  expect(other.console.text).toMatch(/reboot: Power down\r?\n/);
});
