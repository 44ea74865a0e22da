import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as linux from '@vm-tools/linux';
import {
  close,
  constants,
  LandlockFs as Fs,
  landlockAbi,
  landlockAllow,
  landlockCreateRuleset,
  LandlockNet as Net,
  LandlockScope as Scope,
} from '@vm-tools/linux';

const READ = Fs.READ_FILE | Fs.READ_DIR;
const OF_ABI_1 = Fs.REFER - 1;
const CHANGE = (OF_ABI_1 & ~(READ | Fs.EXECUTE)) | Fs.REFER | Fs.TRUNCATE;
/** What can be allowed for a file that is no directory. */
const OF_FILES = Fs.EXECUTE | Fs.READ_FILE | Fs.WRITE_FILE | Fs.TRUNCATE | Fs.IOCTL_DEV;

/** What Node.js, its C library and OpenSSL look at when they start or start a thread; whatever is not there is left out. */
const SYSTEM_FILES: readonly (readonly [path: string, access: number])[] = [
  ['/etc/ld.so.cache', READ],
  ['/etc/ld.so.preload', READ],
  ['/etc/localtime', READ],
  ['/etc/ssl/openssl.cnf', READ],
  ['/etc/pki/tls/openssl.cnf', READ],
  ['/etc/pki/tls/openssl.d', READ],
  ['/etc/crypto-policies', READ],
  // Where distributions put the parts of Node.js that are JavaScript.
  ['/usr/share/nodejs', READ],
  ['/usr/share/node_modules', READ],
  ['/proc/meminfo', READ],
  ['/proc/sys/vm/overcommit_memory', READ],
  ['/sys/devices/system/cpu/online', READ],
  ['/sys/fs/cgroup', Fs.READ_FILE],
  ['/dev/urandom', READ],
  ['/dev/null', READ | Fs.WRITE_FILE],
];

const USERS: typeof SYSTEM_FILES = [
  ['/etc/passwd', READ],
  ['/etc/group', READ],
];

export interface LandlockNeeds {
  /** What is served. */
  readonly roots: readonly number[];
  readonly readOnly: boolean;
  /** /proc/self, which has to stay open: without a descriptor the kernel may forget the rule together with the inode. */
  readonly procSelf: number;
  /** Whether it looks up users. */
  readonly actAsUser: boolean;
  /** Directories of which 9s has to remove its sockets at the end. */
  readonly socketFolders: readonly string[];
}

/** A ruleset, ready to be enforced, and the version of Landlock that it is for. */
export interface LandlockRules {
  readonly ruleset: number;
  readonly abi: number;
}

/**
 * The rules that 9s lives under: what it serves as its mode needs, the files that Node.js and 9s themselves consist of, and nothing else.
 * TCP sockets can neither be bound nor connected, abstract sockets of others not be connected to, and no process outside gets a signal.
 *
 * @throws {Error} with a message that says why there can be none
 */
export function landlockRules(needs: LandlockNeeds): LandlockRules {
  const abi = landlockAbi();
  if (abi < 2 && !needs.readOnly) {
    throw new Error(`ABI ${abi} forbids to move files between directories; Linux 5.19 has what is needed`);
  }
  const handled = handledBy(abi);
  const ruleset = landlockCreateRuleset({
    fs: handled,
    net: abi >= 4 ? Net.BIND_TCP | Net.CONNECT_TCP : 0,
    scoped: abi >= 6 ? Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET : 0,
  });
  const allow = (fd: number, access: number) => landlockAllow(ruleset, fd, access & handled);
  try {
    for (const root of needs.roots) allow(root, needs.readOnly ? READ : READ | CHANGE);
    allow(needs.procSelf, Fs.READ_FILE);
    for (const [path, access] of [
      ...SYSTEM_FILES,
      ...(needs.actAsUser ? USERS : []),
      ...mappedFiles().map((path) => [path, READ | Fs.EXECUTE] as const),
      ...packageFolders().map((path) => [path, READ] as const),
      ...needs.socketFolders.map((path) => [path, Fs.REMOVE_FILE] as const),
    ]) {
      allowPath(path, access, allow);
    }
  } catch (error) {
    close(ruleset);
    throw error;
  }
  return { ruleset, abi };
}

function handledBy(abi: number): number {
  return OF_ABI_1 | (abi >= 2 ? Fs.REFER : 0) | (abi >= 3 ? Fs.TRUNCATE : 0) | (abi >= 5 ? Fs.IOCTL_DEV : 0);
}

function allowPath(path: string, access: number, allow: (fd: number, access: number) => void): void {
  let fd: number;
  try {
    fd = linux.open(path, constants.O_PATH);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return;
    throw error;
  }
  try {
    allow(fd, isDirectory(fd) ? access & ~Fs.EXECUTE : access & OF_FILES);
  } finally {
    close(fd);
  }
}

function isDirectory(fd: number): boolean {
  const stat = new Uint32Array(linux.STAT_WORDS);
  linux.check(linux.fstat(fd, stat), 'fstat');
  return ((stat[linux.Stat.mode] ?? 0) & constants.S_IFMT) === constants.S_IFDIR;
}

/** The binary of Node.js, its libraries and addons: what is mapped now is mapped again. */
function mappedFiles(): string[] {
  const maps = readFileSync('/proc/self/maps', 'utf8');
  return [...new Set([...maps.matchAll(/^(?:\S+\s+){5}(\/.*)$/gm)].map(([, path]) => path as string))];
}

/** The folder of this package, and those of all it depends on, wherever they were installed. */
function packageFolders(): string[] {
  const folders = new Set<string>();
  const add = (folder: string) => {
    if (folders.has(folder)) return;
    folders.add(folder);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
      const found = installed(name, folder);
      if (found !== undefined) add(found);
    }
  };
  add(realpathSync(fileURLToPath(new URL('..', import.meta.url))));
  return [...folders];
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** As Node.js finds a package: in the node_modules of the folder, or of one above it. */
function installed(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const there = join(folder, 'node_modules', name);
    if (existsSync(join(there, 'package.json'))) return realpathSync(there);
    if (folder === dirname(folder)) return undefined;
  }
}
