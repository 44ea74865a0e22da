import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootGuest, type Guest, type MountOptions } from '@vm-tools/guest';
import { buildSync } from 'esbuild';
import type { NineS } from '../nine-s.ts';
import { userFamilies } from './calls/families.ts';
import type { CallRecord } from './calls/place.ts';
import { compile } from './compile.ts';
import { requireRoot, SharedFolder } from './shared-folder.ts';

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const TMPFS_MAGIC = 0x01021994;
const MAIN = '/opt/calls/src/main.mjs';

/** What each place answered: the guest's own file system, and ours. */
export interface Answers {
  readonly own: readonly CallRecord[];
  readonly p9: readonly CallRecord[];
}

export interface CallOptions extends MountOptions {
  /** Families; default all. */
  readonly only?: readonly string[];
  /** The guest's own file system to compare with; default tmpfs. */
  readonly with?: 'tmpfs' | 'ext4';
}

/** A guest with a tmpfs of its own beside a 9P mount of a host directory, which lies on tmpfs as well. */
export class GuestCalls implements AsyncDisposable {
  readonly guest: Guest;
  readonly folder: SharedFolder;
  /** Of 9s, when a first client had come and gone. */
  readonly usageAtRest: ReturnType<NineS['usage']>;
  readonly #root: string;
  #runs = 0;

  private constructor(guest: Guest, folder: SharedFolder, root: string) {
    this.guest = guest;
    this.folder = folder;
    this.#root = root;
    this.usageAtRest = folder.nineS.usage();
  }

  static async start(): Promise<GuestCalls> {
    requireRoot('owners, device nodes and trusted attributes');
    const root = mkdtempSync('/dev/shm/vm-tools-9s-');
    if (statfsSync(root).type !== TMPFS_MAGIC)
      throw new Error('/dev/shm is no tmpfs here: mount one, as in: mount -t tmpfs none /dev/shm');
    chmodSync(root, 0o755);
    const folder = new SharedFolder(['--root', root, '--device-nodes']);
    try {
      await folder.listening;
      const guest = await bootGuest({ node: true, p9: { p9: folder.socket }, files: programFiles() });
      await guest.mount9p('p9', '/mnt');
      // The first fsync brings the threads into being that do them all.
      await guest.sh('dd if=/dev/zero of=/mnt/f bs=1 count=1 conv=fsync; rm /mnt/f');
      await guest.unmount('/mnt');
      await folder.nineS.logged('connected=0');
      return new GuestCalls(guest, folder, root);
    } catch (error) {
      await folder.close();
      rmSync(root, { recursive: true });
      throw error;
    }
  }

  /** Makes the calls of the families at both places, each in directories and mounts of its own. */
  async compare({ only, with: own = 'tmpfs', ...mount }: CallOptions = {}): Promise<Answers> {
    const run = ++this.#runs;
    const [tmpfs, p9] = [`/r/${run}`, `/p/${run}`];
    await this.guest.sh(`mkdir -p ${tmpfs} ${tmpfs}b`);
    if (own === 'tmpfs') await this.guest.sh(`mount -t tmpfs -o size=256m,mode=755 none ${tmpfs}`);
    await this.guest.sh(`mount --bind ${tmpfs} ${tmpfs}b`);
    for (const path of [p9, `${p9}b`]) await this.guest.mount9p('p9', path, mount);
    await this.guest.sh(
      `mkdir ${p9}/run${run} ${tmpfs}/run${run}; chmod 755 /r /p ${tmpfs} ${p9}/run${run} ${tmpfs}/run${run}`,
    );
    const places = {
      own: { root: `${tmpfs}/run${run}`, second: `${tmpfs}b/run${run}` },
      p9: { root: `${p9}/run${run}`, second: `${p9}b/run${run}` },
    };
    try {
      const answers = await this.#call({ places, only });
      const hasUsers =
        only === undefined || Object.keys(userFamilies).some((family) => only.includes(family));
      const ofUser = hasUsers ? await this.#call({ places, only, asUser: true }, 1000) : { own: [], p9: [] };
      return { own: [...answers.own, ...ofUser.own], p9: [...answers.p9, ...ofUser.p9] };
    } finally {
      for (const path of [p9, `${p9}b`]) await this.guest.unmount(path);
    }
  }

  async #call(task: object, id = 0): Promise<Answers> {
    const argv = ['/usr/local/bin/node', MAIN, JSON.stringify(task)];
    const { status, stdout, stderr } = await this.guest.exec(argv, { uid: id, gid: id, timeoutMs: 240_000 });
    if (status !== 0) throw new Error(`the program in the guest ended with ${status}: ${stderr}`);
    return JSON.parse(stdout) as Answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.guest[Symbol.asyncDispose]();
    await this.folder.close();
    rmSync(this.#root, { recursive: true });
  }
}

/** The program that makes the calls, in one file, beside the addon that it loads; and the process in C. */
function programFiles(): Record<string, string | Uint8Array> {
  const { outputFiles } = buildSync({
    entryPoints: [fromHere('./calls/main.ts')],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    conditions: ['@vm-tools/source'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    outfile: 'main.mjs',
  });
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-calls-'));
  try {
    const program = join(folder, 'process');
    compile(fromHere('./calls/process.c'), program);
    return {
      [MAIN]: outputFiles[0]?.contents as Uint8Array,
      // Where @vm-tools/linux looks for it: below the folder above that of its sources.
      '/opt/calls/build/Release/linux.node': fromHere('../../../../libs/linux/build/Release/linux.node'),
      '/opt/calls/process': readFileSync(program),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
