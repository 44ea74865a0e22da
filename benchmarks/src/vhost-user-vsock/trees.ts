import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Guest } from '@vm-tools/guest';

/** Where 9s listens for the device. */
export const P9_PORT = 564;
const FILES = 2000;
const OPTIONS = 'version=9p2000.L,msize=131072,cache=none,access=client,uname=root';

/** What is compared. */
export const TREE = [
  { name: `tar of ${FILES} files into the mount`, unit: 's', isBetter: 'less', target: 1 },
  { name: `tar of ${FILES} files out of the mount`, unit: 's', isBetter: 'less', target: 1 },
] as const;

/** Files of 2 KiB in folders of 50, made once and kept in the guest's memory. */
const MAKE_TREE = `[ -e /tmp/tree.tar ] && exit
mkdir -p /tmp/tree; cd /tmp/tree
for d in $(seq ${FILES / 50}); do
  mkdir d$d
  for f in $(seq 50); do head -c 2048 /dev/urandom > d$d/f$f; done
done
cd /tmp; tar cf tree.tar tree; rm -r tree`;

/** To be followed by a folder and options. */
const mountCommands = {
  vsock: `/proc/1/exe mount9p ${P9_PORT}`,
  serial: 'vsock-peer mount /dev/virtio-ports/9p',
};

const fromHere = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** A 9s, built, that serves an empty folder. */
export async function startServer(folder: string, socket: string): Promise<ChildProcess> {
  const packages = ['@vm-tools/9s', '@vm-tools/p9-protocol', '@vm-tools/linux'];
  execFileSync(process.execPath, [fromHere('../../../scripts/build.ts'), ...packages]);
  const root = join(folder, 'shared');
  mkdirSync(root);
  const args = [fromHere('../../../services/9s/dist/main.cjs'), '--root', root, `unix:${socket}`];
  return spawn(process.execPath, args, { stdio: 'ignore' });
}

/**
 * Unpacks and packs a tree on a mount over each transport: seconds by transport and name. The mounts stay: over virtio-serial a server
 * does not see the end of one, and serves one for the life of the VM.
 */
export async function trees(guest: Guest, round: number): Promise<Record<string, number>> {
  await guest.sh(MAKE_TREE, { timeoutMs: 600_000 });
  const figures: Record<string, number> = {};
  for (const kind of round % 2 === 0 ? (['vsock', 'serial'] as const) : (['serial', 'vsock'] as const)) {
    const folder = `/mnt/${kind}`;
    await guest.sh(
      `mkdir -p ${folder}; grep -q ' ${folder} ' /proc/mounts || ${mountCommands[kind]} ${folder} ${OPTIONS}`,
    );
    const commands = [`tar xf /tmp/tree.tar -C ${folder}`, `tar cf /tmp/out.tar -C ${folder} tree`];
    for (const [index, command] of commands.entries()) {
      const script = `read a b < /proc/uptime; ${command}; read c d < /proc/uptime; echo "$a $c"`;
      const [before = 0, after = 0] = (await guest.sh(script, { timeoutMs: 600_000 }))
        .trim()
        .split(' ')
        .map(Number);
      figures[`${kind} ${TREE[index]?.name}`] = after - before;
    }
    await guest.sh(`rm -r ${folder}/tree`, { timeoutMs: 600_000 });
  }
  return figures;
}
