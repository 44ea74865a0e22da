import type { SoftError } from '../errors.ts';

// What a minidump holds, as the reader gives it and the writer takes it.

/** A stretch of the process's memory. */
export interface MemoryRange {
  readonly start: bigint;
  readonly bytes: Uint8Array;
}

export interface DumpThread {
  readonly tid: number;
  /** The processor's context record; empty when the dump has none. */
  readonly context: Uint8Array;
  readonly stack: MemoryRange | undefined;
}

export interface DumpModule {
  readonly base: bigint;
  readonly size: number;
  /** The path of its file. */
  readonly name: string;
  /** The ELF build-id, or undefined: it has none, or an identifier of another kind. */
  readonly buildId: Uint8Array | undefined;
}

export interface DumpException {
  readonly tid: number;
  /** The signal; {@link DUMP_REQUESTED} when there was none. */
  readonly code: number;
  /** `si_code`, as 32 bits without sign. */
  readonly flags: number;
  /** The address it is about; 0 when it is about none. */
  readonly address: bigint;
  readonly parameters: readonly bigint[];
  readonly context: Uint8Array;
}

export interface SystemInfo {
  /** As in the CPU table: 9 for x86_64. */
  readonly processor: number;
  readonly level: number;
  readonly revision: number;
  /** 0 when not known. */
  readonly processorCount: number;
  readonly major: number;
  readonly minor: number;
  readonly build: number;
  readonly platform: number;
  /** As `uname -srvm` tells it. */
  readonly osVersion: string;
  /** 24 bytes: on x86, vendor and features of the processor. */
  readonly cpu: Uint8Array;
}

export interface MemoryInfo {
  readonly base: bigint;
  readonly allocationBase: bigint;
  readonly size: bigint;
  readonly state: number;
  readonly allocationProtection: number;
  readonly protection: number;
  readonly type: number;
}

/** An open descriptor. */
export interface DumpHandle {
  readonly handle: bigint;
  /** `File`, `Pipe`, `Socket`... */
  readonly type: string;
  /** What `/proc/PID/fd` links to. */
  readonly name: string;
  /** The flags it was opened with. */
  readonly access: number;
}

export interface MiscInfo {
  readonly processId: number | undefined;
  /** Seconds since 1970; seconds. */
  readonly times: { readonly create: number; readonly user: number; readonly kernel: number } | undefined;
}

/** Files of /proc and /etc, as they were. */
export interface LinuxFiles {
  readonly cpuInfo?: Uint8Array | undefined;
  readonly procStatus?: Uint8Array | undefined;
  readonly lsbRelease?: Uint8Array | undefined;
  readonly cmdLine?: Uint8Array | undefined;
  readonly environ?: Uint8Array | undefined;
  readonly auxv?: Uint8Array | undefined;
  readonly maps?: Uint8Array | undefined;
}

/** What the dynamic linker told debuggers. */
export interface DumpDsoDebug {
  readonly version: number;
  readonly brk: bigint;
  readonly ldbase: bigint;
  readonly dynamic: bigint;
  /** The program's dynamic section. */
  readonly dynamicBytes: Uint8Array;
  readonly linkMaps: readonly { readonly address: bigint; readonly name: string; readonly dynamic: bigint }[];
}

export interface CrashpadInfo {
  /** UUIDs, 16 bytes as they lie in the dump. */
  readonly reportId: Uint8Array;
  readonly clientId: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface DumpContents {
  /** When it was made; seconds since 1970. */
  readonly time?: number | undefined;
  readonly system?: SystemInfo | undefined;
  readonly threads?: readonly DumpThread[] | undefined;
  readonly threadNames?: ReadonlyMap<number, string> | undefined;
  readonly modules?: readonly DumpModule[] | undefined;
  readonly memory?: readonly MemoryRange[] | undefined;
  readonly exception?: DumpException | undefined;
  readonly memoryInfo?: readonly MemoryInfo[] | undefined;
  readonly handles?: readonly DumpHandle[] | undefined;
  readonly misc?: MiscInfo | undefined;
  readonly linux?: LinuxFiles | undefined;
  readonly dsoDebug?: DumpDsoDebug | undefined;
  readonly crashpad?: CrashpadInfo | undefined;
  readonly softErrors?: readonly SoftError[] | undefined;
}
