import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bootGuest, type Guest, nativeProgram } from '@vm-tools/guest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench } from '../nine-s.ts';

/** AF_VSOCK knows no folders: two of these tests may run at once. */
const PORT = 100_000 + process.pid;
/** Tversion, tag -1, msize 8192, 9P2000.L. */
const TVERSION = Buffer.from('1500000064ffff0020000008003950323030302e4c', 'hex');

describe('the directories of VMs', () => {
  let bench: Bench;
  let guests: Guest[] = [];
  const socketOf = (cid: number) => join(bench.folder, `run/vsock/${cid}/sock_${PORT}`);

  beforeAll(async () => {
    bench = new Bench();
    guests = await Promise.all([3, 4, 5].map((cid) => bootGuest({ cid, p9: { p9: socketOf(cid) } })));
  });
  afterAll(async () => {
    for (const guest of guests) await guest[Symbol.asyncDispose]();
    await bench.clear();
  });

  it('let the guests in that are named, each as itself, and no other', async () => {
    const env = { VM_TOOLS_RUNTIME_DIR: join(bench.folder, 'run') };
    const args = ['--root', bench.root, '--accept_cid', '3', '--accept-cid', '4', `vsock:${PORT}`];
    const nineS = bench.start(args, { env });
    await nineS.logged('listening', 2);
    expect(statSync(dirname(socketOf(3))).mode & 0o777).toBe(0o700);
    const [three, four, five] = guests as [Guest, Guest, Guest];
    for (const guest of [three, four]) {
      await guest.mount9p('p9', '/mnt');
      expect(await guest.sh('cat /mnt/hello')).toBe('hello, guest\n');
    }
    await nineS.logged('peer=vsock:3');
    await nineS.logged('peer=vsock:4');
    await expect(five.mount9p('p9', '/mnt')).rejects.toThrow(/ECONNRESET|Connection reset by peer/);
    expect(nineS.stderr).not.toContain('peer=vsock:5');
    for (const guest of [three, four]) await guest.unmount('/mnt');
    expect(await nineS.terminate()).toMatchObject({ code: 0 });
    expect([3, 4].map((cid) => existsSync(socketOf(cid)))).toEqual([false, false]);
  });
});

describe('AF_VSOCK', () => {
  let guest: Guest;
  const repository = fileURLToPath(new URL('../../../../', import.meta.url));

  // The built 9s, installed in a guest whose vsock leads to itself: there it sees CID 1.
  beforeAll(async () => {
    const script = join(repository, 'scripts/build.ts');
    execFileSync(process.execPath, [script, '@vm-tools/9s', '@vm-tools/p9-protocol', '@vm-tools/linux']);
    const require = createRequire(import.meta.url);
    const files: Record<string, string> = { '/usr/local/bin/vsock-peer': await nativeProgram('vsock-peer') };
    const install = (name: string, from: string, contents: readonly string[]) => {
      for (const each of contents) files[`/opt/node_modules/${name}/${each}`] = join(from, each);
    };
    install('@vm-tools/9s', join(repository, 'services/9s'), ['dist', 'package.json']);
    install('@vm-tools/p9-protocol', join(repository, 'libs/p9-protocol'), ['dist', 'package.json']);
    install('@vm-tools/linux', join(repository, 'libs/linux'), ['dist', 'package.json', 'build/Release']);
    const loader = dirname(require.resolve('node-gyp-build', { paths: [join(repository, 'libs/linux')] }));
    install('node-gyp-build', loader, ['package.json', 'index.js', 'node-gyp-build.js']);
    guest = await bootGuest({ node: true, modules: ['vsock_loopback'], files });
  });
  afterAll(async () => await guest?.[Symbol.asyncDispose]());

  /** What 9s logs, and what a client of CID 1 gets. */
  async function ask(acceptCid: string): Promise<{ answer: Buffer; log: string }> {
    const nineS = await guest.spawn([
      'node',
      '/opt/node_modules/@vm-tools/9s/dist/main.cjs',
      ...['--root', '/etc', '--accept-cid', acceptCid, `vsock:${PORT}`],
    ]);
    let log = '';
    const listens = new Promise<void>((resolve, reject) => {
      nineS.stderr.setEncoding('utf8').on('data', (data: string) => {
        log += data;
        if (log.split('listening').length > 2) resolve();
      });
      nineS.exited.then(() => reject(new Error(`9s has ended: ${log}`)), reject);
    });
    await listens;
    const { stdoutBytes } = await guest.exec(['vsock-peer', 'talk', `1:${PORT}`], { input: TVERSION });
    nineS.kill();
    await nineS.exited;
    return { answer: stdoutBytes, log };
  }

  it('lets the guest in that is named, by the word of the kernel', async () => {
    const { answer, log } = await ask('1');
    expect(answer.subarray(4, 5)).toEqual(Buffer.of(101)); // Rversion
    expect(log).toContain('peer=vsock:1');
  });

  it('drops one that is not, and says so', async () => {
    const { answer, log } = await ask('99');
    expect(answer.length).toBe(0);
    expect(log).toMatch(/warn: connection refused: --accept-cid does not name this guest peer=vsock:1/);
  });
});

it('a client in the directory of a VM is that VM', async () => {
  const bench = new Bench();
  try {
    const env = { VM_TOOLS_RUNTIME_DIR: join(bench.folder, 'run') };
    const nineS = bench.start(['--root', bench.root, '--accept-cid', '7', `vsock:${PORT}`], { env });
    await nineS.logged('listening');
    const client = connect(join(bench.folder, `run/vsock/7/sock_${PORT}`));
    client.end(TVERSION);
    expect((await text(client)).length).toBeGreaterThan(0);
    await nineS.logged('peer=vsock:7');
  } finally {
    await bench.clear();
  }
});
