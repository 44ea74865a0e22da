import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { run } from './program.ts';
import { test } from './scratch-directory.ts';

/** Runs a script that prints JSON, in a process that may confine itself for good. */
function resultOf(source: string, ...args: readonly string[]): unknown {
  const code = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { execFileSync } from 'node:child_process';
    import * as linux from '@vm-tools/linux';
    const errorOf = (call) => { try { call(); return 'none'; } catch (error) { return error.code; } };
    const { constants: c } = linux;
    const [first, second] = process.argv.slice(1);
    const print = (value) => process.stdout.write(JSON.stringify(value));
    ${source}`;
  const { status, stdout, stderr } = run({ source: code }, { args: ['--', ...args] });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

test('execve starts a program in this process, with arguments, environment and the descriptors that were left open', () => {
  const result = resultOf(`
    const [reads, writes] = linux.pipe();
    for (const fd of [1, 2, reads]) linux.setCloseOnExec(fd, false);
    writeFileSync(writes, 'through a pipe');
    const script = \`
      const { readSync, readdirSync } = require('node:fs');
      const bytes = Buffer.alloc(100);
      const text = bytes.toString('utf8', 0, readSync(\${reads}, bytes));
      let closed;
      try { readSync(\${writes}, bytes); } catch (error) { closed = error.code; }
      console.log(JSON.stringify({ pid: process.pid, ours: \${process.pid}, name: process.argv0, text, closed,
        args: process.argv.slice(1), env: process.env.A }));\`;
    linux.execve(process.execPath, ['a name', '-e', script, 'é', ''], ['A=b=c']);`) as Record<
    string,
    unknown
  >;
  expect(result).toEqual({
    pid: result['ours'],
    ours: result['ours'],
    name: 'a name',
    text: 'through a pipe',
    closed: 'EBADF',
    args: ['é', ''],
    env: 'b=c',
  });
});

test('no-new-privs holds for the calling thread and for what it starts', () => {
  const result = resultOf(`
    const before = /NoNewPrivs:\\s*(\\d)/.exec(readFileSync('/proc/thread-self/status', 'latin1'))[1];
    linux.noNewPrivileges();
    const child = execFileSync('cat', ['/proc/self/status'], { encoding: 'latin1' });
    print([before, /NoNewPrivs:\\s*(\\d)/.exec(child)[1]]);`);
  expect(result).toEqual([expect.stringMatching(/[01]/), '1']);
});

test('Landlock takes what the ruleset handles and no rule allows', ({ directory }) => {
  const [inside, outside] = [join(directory.path, 'inside'), join(directory.path, 'outside')];
  for (const folder of [inside, outside]) {
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), 'text');
  }
  const result = resultOf(
    `
    const { LandlockFs: Fs } = linux;
    const ruleset = linux.landlockCreateRuleset({ fs: Fs.READ_FILE | Fs.WRITE_FILE });
    const folder = linux.open(first, c.O_PATH);
    const refused = errorOf(() => linux.landlockAllow(ruleset, folder, Fs.READ_DIR));
    linux.landlockAllow(ruleset, folder, Fs.READ_FILE);
    linux.noNewPrivileges();
    linux.landlockRestrictSelf(ruleset);
    print({
      abi: linux.landlockAbi() >= 1,
      refused,
      read: errorOf(() => linux.open(first + '/file', c.O_RDONLY)),
      write: errorOf(() => linux.open(first + '/file', c.O_WRONLY)),
      outside: errorOf(() => linux.open(second + '/file', c.O_RDONLY)),
      notHandled: errorOf(() => linux.open(second, c.O_RDONLY | c.O_DIRECTORY)),
      unknown: errorOf(() => linux.landlockCreateRuleset({ fs: 2 ** 40 })),
    });`,
    inside,
    outside,
  );
  expect(result).toEqual({
    abi: true,
    refused: 'EINVAL',
    read: 'none',
    write: 'EACCES',
    outside: 'EACCES',
    notHandled: 'none',
    unknown: 'EINVAL',
  });
});

test('a filter holds for the calling thread, or for all at once', () => {
  const result = resultOf(`
    const { Worker } = await import('node:worker_threads');
    const { once } = await import('node:events');
    const inWorker = async (worker) => {
      worker.postMessage('go');
      return (await once(worker, 'message'))[0];
    };
    const startWorker = async () => {
      const worker = new Worker(\`
        import { parentPort } from 'node:worker_threads';
        parentPort.on('message', async () => {
          const linux = await import('@vm-tools/linux');
          let result = 'none';
          try { linux.close(linux.socket(linux.constants.AF_UNIX, linux.constants.SOCK_STREAM)); }
          catch (error) { result = error.code; }
          parentPort.postMessage(result);
        });\`, { eval: true });
      await once(worker, 'online');
      return worker;
    };
    const socket = () => linux.close(linux.socket(c.AF_UNIX, c.SOCK_STREAM));
    const filter = (errno) => linux.seccompProgram([{ calls: ['socket'], action: { errno } }], { otherwise: 'allow' });
    const worker = await startWorker();
    const all = [errorOf(socket), await inWorker(worker)];
    linux.noNewPrivileges();
    all.push(errorOf(() => linux.seccompFilter(new Uint8Array(7))), errorOf(() => linux.seccompFilter(new Uint8Array(8))));
    linux.seccompFilter(filter(linux.Errno.EIO), { allThreads: true });
    all.push(errorOf(socket), await inWorker(worker));
    linux.seccompFilter(filter(linux.Errno.ENXIO));
    all.push(errorOf(socket), await inWorker(worker));
    linux.seccompFilter(filter(linux.Errno.EPERM), { allThreads: true });
    all.push(errorOf(socket), await inWorker(worker));
    print(all);
    await worker.terminate();`);
  expect(result).toEqual([
    ...['none', 'none'],
    ...['EINVAL', 'EINVAL'],
    ...['EIO', 'EIO'],
    ...['ENXIO', 'EIO'],
    ...['EPERM', 'EPERM'],
  ]);
});
