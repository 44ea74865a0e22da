// `npm run demo`: a Linux guest boots in QEMU and mounts a directory of this machine, which 9s serves. Its log comes to a file here, and the
// minidump of a program that crashes. Then it panics, and its last words are read.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bootGuest, type Guest, guestProgram } from '@vm-tools/guest';
import { makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { crashFiles, showCrash } from './demo-crash.ts';
import { repository } from './workspaces.ts';

const { kernel } = parseArgs({ options: { kernel: { type: 'string', default: 'debian' } } }).values;
if (kernel !== 'debian' && kernel !== 'built') throw new Error(`--kernel ${kernel}: it is debian or built`);

const began = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'vm-tools-demo-'));
const root = join(folder, 'shared');
const socket = join(folder, '9p.sock');
const memory = join(folder, 'memory');
const runtime = join(folder, 'run');
const logs = join(folder, 'logs');
const crashes = join(folder, 'crashes');
/** AF_VSOCK has its ports once, and 9999 and 7779 may be taken. */
const ports = { logs: 200_000 + process.pid, crashes: 10_200_000 + process.pid };
/** What the kernel of the guest keeps clear of, and where it writes when it panics. */
const ramoops = 'mem_address=0x8000000 mem_size=0x40000 record_size=0x8000 console_size=0x8000';
mkdirSync(root);
writeFileSync(join(root, 'greeting.txt'), 'hello from the host\n');

try {
  await using server = await start('services/9s/src/main.ts', ['--root', root, `unix:${socket}`]);
  say(`9s (process ${server.pid}) serves ${root}`);
  say('booting Linux in QEMU on an emulated CPU; what it boots from is built the first time');
  const syslog = guestProgram(join(repository, 'services/vm-syslog/src/vm-syslog.ts'), 'vm_syslog');
  await using guest = await bootGuest({
    kernel,
    node: true,
    files: { ...syslog.files, ...crashFiles(folder, ports.crashes) },
    p9: { shared: socket },
    modules: [`ramoops ${ramoops}`],
    cmdline: 'memmap=1M$0x8000000',
    vm: { sharedMemory: memory },
  });
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

  makeVmDirectory(3, runtime);
  await guest.vsock.serve(vmSocketPath(3, runtime));
  const forwarding = ['--listen', `vsock::${ports.logs}`, '--log-destination', logs, '--vm', '3=demo:1a2b'];
  await using forwarder = await start('services/vm-syslog/src/vmlog-forwarder.ts', forwarding);
  say(`vmlog_forwarder (process ${forwarder.pid}) takes the guest's log, which vm_syslog sends`);
  const collecting = ['--host', `vsock:host:${ports.logs}`, '--flush-ms', '100'];
  await guest.spawn(['/usr/local/bin/node', syslog.path, ...collecting]);
  await guest.sh('until [ -S /dev/log ]; do sleep 0.1; done');
  await inGuest(guest, 'logger -t demo "hello, log"');
  await showLog(join(logs, '1a2b/log/ZGVtbw==.log'), 'Linux version [^ ]+', 'hello, log');

  const keeping = ['--consent', 'always', '--directory', crashes, `vsock::${ports.crashes}`];
  await using listener = await start('services/crash-listener/src/main.ts', keeping);
  say(`crash_listener (process ${listener.pid}) keeps the minidumps of programs that crash in the guest`);
  await inGuest(guest, 'crash_collector --init --handler /usr/bin/crash_collector');
  await inGuest(guest, '/opt/editor; true');
  await showCrash(crashes);

  say('it panics');
  await inGuest(guest, 'echo "these are my last words" > /dev/kmsg');
  // Nobody is left to say that the command has ended.
  console.log('    guest# echo c > /proc/sysrq-trigger');
  guest.sh('echo c > /proc/sysrq-trigger').catch(() => undefined);
  await guest.exited;
  say('the host reads its last words, in what was its memory');
  // Debian's kernel keeps the dump of a panic, and no console.
  for (const zone of kernel === 'built' ? [['--dmesg'], []] : [['--dmesg']]) {
    onHost('vm_pstore_dump', 'services/pstore-dump/src/main.ts', [
      ...['--file', memory, ...zone, '--cmdline', ramoops.replaceAll(/\w+=/g, 'ramoops.$&')],
    ]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Starts a service from its sources and resolves when it says that it listens. */
async function start(source: string, args: string[]): Promise<AsyncDisposable & { pid: number | undefined }> {
  const child = spawn(
    process.execPath,
    ['--conditions=@vm-tools/source', join(repository, source), '--log-format', 'text', ...args],
    { stdio: ['ignore', 'inherit', 'pipe'], env: { ...process.env, VM_TOOLS_RUNTIME_DIR: runtime } },
  );
  const ended = once(child, 'exit');
  await Promise.race([
    listens(child),
    ended.then(() => Promise.reject(new Error(`${source} did not start`))),
  ]);
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
    if (!stderr) throw new Error('there is no standard error');
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

/** Runs a program of ours, and shows those of its lines that tell why a kernel died. */
function onHost(name: string, source: string, args: string[]): void {
  const shown = args.map((arg) => (/[ ;]/.test(arg) ? `'${arg}'` : arg)).join(' ');
  console.log(`    host$ ${name} ${shown} | grep -E 'last words|panic -'`);
  const output = execFileSync(
    process.execPath,
    ['--conditions=@vm-tools/source', join(repository, source), ...args],
    {
      encoding: 'utf8',
    },
  );
  for (const line of output.split('\n')) if (/last words|panic -/.test(line)) console.log(`    ${line}`);
}

/** Waits until a line of the log matches each of the expressions, and shows these lines up to there. */
async function showLog(file: string, ...expressions: string[]): Promise<void> {
  const [any, ...each] = [`.*(${expressions.join('|')})`, ...expressions].map(
    (text) => new RegExp(text, 'gm'),
  );
  let text = '';
  while (!each.every((expression) => text.search(expression) >= 0)) {
    await delay(50);
    text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
  console.log(`    host$ grep -oE '${any?.source}' ${file}`);
  for (const line of text.match(any as RegExp) ?? []) console.log(`    ${line}`);
}

function say(sentence: string): void {
  console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${sentence}`);
}
