import { fileURLToPath } from 'node:url';
import { bootGuest, type ExecResult, type Guest } from '@vm-tools/guest';
import { SharedFolder } from './shared-folder.ts';

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Cache modes of the guest's client. */
export const caches = ['none', 'mmap', 'loose'] as const;
/** Where a program works: in the guest's own file system, or in a mount of ours. */
export type Place = 'ext4' | (typeof caches)[number];
export const places: readonly Place[] = ['ext4', ...caches];

/** Scripts below workloads/, by name. Each works in an empty folder, and says on stdout what came of it, the same everywhere. */
export const workloads = ['git', 'make', 'sqlite', 'fio', 'dbench', 'stress-ng'] as const;
/** What shares writable memory by a file, which the client cannot without a cache. */
export const sharedMappings = ['sqlite-wal', 'fio-mmap'] as const;
export type Workload = (typeof workloads)[number] | (typeof sharedMappings)[number];

const programs = ['git', 'gcc', 'libc6-dev', 'make', 'sqlite3', 'fio', 'dbench', 'stress-ng'];
/** And what the scripts need: `bash-builtins` is the source that is built. */
const packages = [...programs, 'bash-builtins', 'coreutils', 'findutils'];

export interface Outcome extends Pick<ExecResult, 'status' | 'stdout' | 'stderr'> {
  /** In the guest; what the script has left there. */
  readonly folder: string;
}

/** So that equal work gives equal commits. */
const env = {
  GIT_AUTHOR_NAME: 'Author',
  GIT_AUTHOR_EMAIL: 'author@example.org',
  GIT_AUTHOR_DATE: '1700000000 +0000',
  GIT_COMMITTER_NAME: 'Author',
  GIT_COMMITTER_EMAIL: 'author@example.org',
  GIT_COMMITTER_DATE: '1700000000 +0000',
};

/** A guest with Debian's programs, and one folder of the host, mounted with each cache mode. */
export class GuestWorkloads implements AsyncDisposable {
  readonly guest: Guest;
  readonly folder: SharedFolder;
  #runs = 0;

  private constructor(guest: Guest, folder: SharedFolder) {
    this.guest = guest;
    this.folder = folder;
  }

  static async start(): Promise<GuestWorkloads> {
    const folder = new SharedFolder();
    try {
      await folder.listening;
      const guest = await bootGuest({
        packages,
        memory: 2048,
        cpus: 2,
        p9: { p9: folder.socket },
        files: { '/opt/workloads': fromHere('./workloads') },
      });
      const self = new GuestWorkloads(guest, folder);
      // A guest's clock starts at a whole second: make would see files of the future.
      await guest.run(['date', '--set', `@${Date.now() / 1000}`]);
      await guest.run(['bash', '/opt/workloads/repository.sh', '/opt/repository'], {
        env,
        timeoutMs: 200_000,
      });
      await guest.sh('mkdir -p /places/ext4 /dev/shm; mount -t tmpfs none /dev/shm');
      for (const cache of caches) await guest.mount9p('p9', `/places/${cache}`, { cache });
      return self;
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  /** Runs a script in a folder of its own. Some do another part of their work in each of twelve rounds. */
  async run(workload: Workload, place: Place, round = 0, timeoutMs = 300_000): Promise<Outcome> {
    const folder = `/places/${place}/${workload}-${place}-${++this.#runs}`;
    await this.guest.run(['mkdir', folder], { timeoutMs });
    const argv = ['bash', `/opt/workloads/${workload}.sh`, String(round)];
    const { status, stdout, stderr } = await this.guest.exec(argv, { cwd: folder, env, timeoutMs });
    return { folder, status, stdout, stderr };
  }

  /** What 9s has complained about. */
  get complaints(): string[] {
    return this.folder.log.filter((line) => / (warn|error): /.test(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.guest[Symbol.asyncDispose]();
    await this.folder.close();
  }
}
