// `npm run demo`: a Linux guest boots in QEMU and mounts a directory of this machine, which 9s serves.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bootGuest, type Guest } from '@vm-tools/guest';
import { repository } from './workspaces.ts';

const began = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'vm-tools-demo-'));
const root = join(folder, 'shared');
const socket = join(folder, '9p.sock');
mkdirSync(root);
writeFileSync(join(root, 'greeting.txt'), 'hello from the host\n');

try {
  await using server = await start9s(['--root', root, `unix:${socket}`]);
  say(`9s (process ${server.pid}) serves ${root}`);
  say('booting Linux in QEMU on an emulated CPU; what it boots from is built the first time');
  await using guest = await bootGuest({ p9: { shared: socket } });
  await guest.mount9p('shared', '/mnt');
  say(`Linux ${guest.release} is up and has mounted it`);

  await inGuest(guest, 'grep /mnt /proc/mounts');
  await inGuest(guest, 'ls -l /mnt');
  await inGuest(guest, 'cat /mnt/greeting.txt');
  await inGuest(guest, 'echo "hello from the guest" > /mnt/answer.txt');
  say(`the host reads answer.txt: ${readFileSync(join(root, 'answer.txt'), 'utf8').trim()}`);

  say('it can neither make devices nor leave the directory: links are followed in the guest, not here');
  await inGuest(guest, 'mknod /mnt/disk b 8 0');
  await inGuest(guest, `ln -s ${repository} /mnt/out; ls /mnt/out/`);

  await guest.powerOff();
  say('the guest is off');
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Starts the service from its sources and resolves when it says that it listens. */
async function start9s(args: string[]): Promise<AsyncDisposable & { pid: number | undefined }> {
  const program = join(repository, 'services/9s/src/main.ts');
  const child = spawn(
    process.execPath,
    ['--conditions=@vm-tools/source', program, '--log-format', 'text', ...args],
    { stdio: ['ignore', 'inherit', 'pipe'] },
  );
  const ended = once(child, 'exit');
  await Promise.race([listens(child), ended.then(() => Promise.reject(new Error('9s did not start')))]);
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function listens({ stderr }: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (!stderr) throw new Error('9s has no standard error');
    createInterface(stderr).on('line', (line) => {
      if (/\blistening\b/.test(line)) resolve();
      if (/\b(warn|error)/i.test(line)) console.error(line);
    });
  });
}

/** Runs a command as a person at the guest's console would, and shows what it printed. */
async function inGuest(guest: Guest, command: string): Promise<void> {
  const { stdout, stderr } = await guest.exec(['/bin/sh', '-c', command]);
  console.log(`    guest# ${command}`);
  for (const line of (stdout + stderr).trimEnd().split('\n')) if (line) console.log(`    ${line}`);
}

function say(sentence: string): void {
  console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${sentence}`);
}
