import type { FileMapping } from '../core/file-mapping.ts';
import type { ReadMemory } from '../core/memory.ts';
import type { OpenFile } from '../core/modules.ts';
import type { DumpHandle, LinuxFiles, MiscInfo, SystemInfo } from '../dump/contents.ts';

/** What is known of the process besides its core. All of it may be missing. */
export interface ProcessFacts {
  readonly pid?: number | undefined;
  /** By thread id. */
  readonly threadNames?: ReadonlyMap<number, string> | undefined;
  /** Which files are mapped where, by /proc/PID/maps. */
  readonly mappings?: readonly FileMapping[] | undefined;
  readonly files?: LinuxFiles | undefined;
  readonly handles?: readonly DumpHandle[] | undefined;
  readonly system?: Omit<SystemInfo, 'processor'> | undefined;
  readonly times?: MiscInfo['times'];
  /** Reads the memory of a process that the kernel still holds. */
  readonly readMemory?: ReadMemory | undefined;
  readonly openFile?: OpenFile | undefined;
}

export interface ConvertOptions {
  /**
   * The most bytes of memory in the dump; 24 MiB unless given. The thread that crashed gets a third for its stack and a third for
   * one that a signal interrupted; the other threads share what is left.
   */
  readonly budget?: number;
  /**
   * The most bytes of private memory that are kept while a stream flows past, because the dynamic linker's list is in it somewhere;
   * 32 MiB unless given. Nothing is kept of a file.
   */
  readonly keep?: number;
  /** Puts the environment into the dump; else it is left out, at the top of the first stack, too. */
  readonly environ?: boolean;
  /** Blanks what on the stacks is neither small nor an address of the process. */
  readonly sanitize?: boolean;
  /** Key and value, as Crashpad has them. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The UUID of the report, 16 bytes. */
  readonly reportId?: Uint8Array;
  /** Seconds since 1970; now unless given. */
  readonly time?: number;
}

export const DEFAULT_BUDGET = 24 << 20;
export const DEFAULT_KEEP = 32 << 20;

/** What readers of minidumps take at the most (Breakpad's processor); a list with more is refused as a whole. */
export const Most = { threads: 4096, modules: 2048, ranges: 4096, range: 64 << 20 } as const;
