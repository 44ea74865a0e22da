import { closeSync, openSync } from 'node:fs';
import { release, version } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { ProcessFacts } from '../convert/facts.ts';
import type { FileMapping } from '../core/file-mapping.ts';
import type { MappedFile } from '../core/modules.ts';
import type { DumpHandle, MiscInfo } from '../dump/contents.ts';
import { type MapsLine, parseMaps } from './maps.ts';
import { attempt, firstOf, numbersIn, OpenedFile, readFully, tryRead, tryReadlink } from './proc-files.ts';
import { systemOf } from './system.ts';

/** So many threads and descriptors are looked at. */
const MAX_THREADS = 8192;
const MAX_HANDLES = 4096;
/** What counts the clock ticks of /proc/PID/stat, on every machine that Linux runs on today. */
const TICKS = 100;

/** What /proc tells of a process; holds descriptors until it is disposed. */
export interface ProcessSnapshot extends ProcessFacts, Disposable {}

/**
 * Reads what a minidump has from a process's directory: `/proc/PID` while the kernel holds the process, or a copy of it, in which
 * `cpuinfo`, `lsb-release` and `os-release` may be, too. What cannot be read is left out.
 */
export function readProcess(directory: string, { environ = false } = {}): ProcessSnapshot {
  // Only of a process of this machine do the files of this machine tell.
  const live =
    tryReadlink(join(directory, 'exe')) !== undefined || tryRead(join(directory, 'stat')) !== undefined;
  const procRoot = dirname(directory);
  const status = tryRead(join(directory, 'status'));
  const maps = tryRead(join(directory, 'maps'));
  const lines = maps ? parseMaps(maps.toString('utf8')) : [];
  const cpuInfo =
    tryRead(join(directory, 'cpuinfo')) ?? (live ? tryRead(join(procRoot, 'cpuinfo')) : undefined);
  const releases = ['lsb-release', 'os-release'];
  const memory = attempt(() => openSync(join(directory, 'mem'), 'r'));
  const pid = Number(/^Pid:\s*(\d+)/m.exec(status?.toString('latin1') ?? '')?.[1] ?? basename(directory));
  const files = new MappedFiles(directory, lines);
  return {
    pid: Number.isInteger(pid) ? pid : undefined,
    threadNames: threadNamesOf(directory),
    mappings: lines.length > 0 ? lines.filter(({ inode }) => inode !== 0) : undefined,
    files: {
      cpuInfo,
      procStatus: status,
      lsbRelease: firstOf(directory, releases) ?? (live ? firstOf('/etc', releases) : undefined),
      cmdLine: tryRead(join(directory, 'cmdline')),
      environ: environ ? tryRead(join(directory, 'environ')) : undefined,
      auxv: tryRead(join(directory, 'auxv')),
      maps: maps?.length ? maps : undefined,
    },
    handles: handlesOf(directory),
    system: systemOf(
      cpuInfo?.toString('latin1'),
      live ? { release: release(), version: version() } : undefined,
    ),
    times: attempt(() => timesOf(directory, procRoot)),
    ...(memory !== undefined && {
      readMemory: (address: bigint, size: number) => readFully(memory, address, size),
    }),
    openFile: (mapping) => files.open(mapping),
    [Symbol.dispose]() {
      if (memory !== undefined) closeSync(memory);
      files[Symbol.dispose]();
    },
  };
}

/** Names by thread id. */
function threadNamesOf(directory: string): Map<number, string> | undefined {
  const names = new Map<number, string>();
  for (const tid of numbersIn(join(directory, 'task'), MAX_THREADS)) {
    const name = tryRead(join(directory, 'task', `${tid}`, 'comm'));
    if (name) names.set(tid, name.toString('utf8').replace(/\n$/, ''));
  }
  return names.size > 0 ? names : undefined;
}

function handlesOf(directory: string): DumpHandle[] | undefined {
  const handles: DumpHandle[] = [];
  for (const fd of numbersIn(join(directory, 'fd'), MAX_HANDLES)) {
    const name = tryReadlink(join(directory, 'fd', `${fd}`));
    if (name === undefined) continue;
    const info = tryRead(join(directory, 'fdinfo', `${fd}`))?.toString('latin1') ?? '';
    const flags = /^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '0';
    handles.push({ handle: BigInt(fd), type: kindOf(name), name, access: Number.parseInt(flags, 8) });
  }
  return handles.length > 0 ? handles : undefined;
}

/** `Socket` of `socket:[123]`, `Eventpoll` of `anon_inode:[eventpoll]`. */
function kindOf(link: string): string {
  const [, kind, detail] = /^(\w+):\[?(\w*)/.exec(link) ?? [];
  const word = kind === 'anon_inode' ? detail : kind;
  return word ? word.charAt(0).toUpperCase() + word.slice(1) : 'File';
}

/** When the process began, and what of the processor it has used. */
function timesOf(directory: string, procRoot: string): MiscInfo['times'] {
  const stat = tryRead(join(directory, 'stat'))?.toString('latin1') ?? '';
  const boot = /^btime (\d+)/m.exec(tryRead(join(procRoot, 'stat'))?.toString('latin1') ?? '')?.[1];
  // The name stands in parentheses and may hold anything; the third field follows it.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user, kernel, start] = [fields[11], fields[12], fields[19]];
  if (user === undefined || kernel === undefined || start === undefined || boot === undefined)
    return undefined;
  const seconds = (ticks: number) => Math.floor(ticks / TICKS);
  return { create: Number(boot) + seconds(start), user: seconds(user), kernel: seconds(kernel) };
}

/** The files that a process has mapped. */
class MappedFiles implements Disposable {
  readonly #directory: string;
  readonly #lines: ReadonlyMap<bigint, MapsLine>;
  readonly #opened = new Map<string, (MappedFile & { file: OpenedFile }) | undefined>();

  constructor(directory: string, lines: readonly MapsLine[]) {
    this.#directory = directory;
    this.#lines = new Map(lines.map((line) => [line.start, line]));
  }

  open(mapping: FileMapping): MappedFile | undefined {
    if (this.#opened.has(mapping.path)) return this.#opened.get(mapping.path);
    const opened = this.#find(mapping);
    // A dump needs few; a program may have mapped very many.
    if (this.#opened.size < 256) this.#opened.set(mapping.path, opened);
    else opened?.file[Symbol.dispose]();
    return this.#opened.get(mapping.path);
  }

  #find({ start, end, path }: FileMapping): (MappedFile & { file: OpenedFile }) | undefined {
    const range = `${start.toString(16)}-${end.toString(16)}`;
    const mapped = OpenedFile.open(join(this.#directory, 'map_files', range));
    if (mapped) return { file: mapped, readAt: mapped.readAt, same: true };
    const named = OpenedFile.open(join(this.#directory, 'root', path));
    const line = this.#lines.get(start);
    if (named && line && line.inode === named.inode && line.path === path) {
      return { file: named, readAt: named.readAt, same: true };
    }
    named?.[Symbol.dispose]();
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const opened of this.#opened.values()) opened?.file[Symbol.dispose]();
    this.#opened.clear();
  }
}

/** Files by the names that a core tells, where nothing tells whether they are still the ones that were mapped. */
export class NamedFiles implements Disposable {
  readonly #opened = new Map<string, OpenedFile | undefined>();

  open(mapping: FileMapping): MappedFile | undefined {
    const { path } = mapping;
    if (!path.startsWith('/') || path.endsWith(' (deleted)')) return undefined;
    if (!this.#opened.has(path) && this.#opened.size < 256) this.#opened.set(path, OpenedFile.open(path));
    const file = this.#opened.get(path);
    return file && { readAt: file.readAt, same: false };
  }

  [Symbol.dispose](): void {
    for (const file of this.#opened.values()) file?.[Symbol.dispose]();
    this.#opened.clear();
  }
}
