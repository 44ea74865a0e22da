import { record } from '../record.ts';

// Structures of a minidump: little-endian, packed. Names after minidump_format.h of Breakpad and minidumpapiset.h of Windows.

/** 'MDMP' */
export const SIGNATURE = 0x504d444d;
export const VERSION = 0xa793;
/** 'BpEL': a CodeView record that is a raw ELF build-id. */
export const CV_ELF = 0x4270454c;
/** What a dump without a crash has for an exception code (Breakpad). */
export const DUMP_REQUESTED = 0xffffffff;

/** Stream types: Windows' own, Breakpad's (0x4767....), Crashpad's (0x4350....), Mozilla's (0x4d7a....). */
export const StreamType = {
  threadList: 3,
  moduleList: 4,
  memoryList: 5,
  exception: 6,
  systemInfo: 7,
  memory64List: 9,
  handleData: 12,
  unloadedModules: 14,
  miscInfo: 15,
  memoryInfoList: 16,
  threadInfoList: 17,
  threadNames: 24,
  breakpadInfo: 0x47670001,
  linuxCpuInfo: 0x47670003,
  linuxProcStatus: 0x47670004,
  linuxLsbRelease: 0x47670005,
  linuxCmdLine: 0x47670006,
  linuxEnviron: 0x47670007,
  linuxAuxv: 0x47670008,
  linuxMaps: 0x47670009,
  linuxDsoDebug: 0x4767000a,
  crashpadInfo: 0x43500001,
  softErrors: 0x4d7a0004,
} as const;

export type StreamName = keyof typeof StreamType;

export const header = record({
  signature: 'u32',
  version: 'u32',
  streamCount: 'u32',
  directoryRva: 'u32',
  checksum: 'u32',
  /** Seconds since 1970. */
  timeDateStamp: 'u32',
  flags: 'u64',
});

export const location = record({ size: 'u32', rva: 'u32' });

export const directoryEntry = record({ type: 'u32', location });

export const memoryDescriptor = record({ start: 'u64', memory: location });

export const memoryDescriptor64 = record({ start: 'u64', size: 'u64' });

export const thread = record({
  tid: 'u32',
  suspendCount: 'u32',
  priorityClass: 'u32',
  priority: 'u32',
  teb: 'u64',
  stack: memoryDescriptor,
  context: location,
});

export const threadName = record({ tid: 'u32', nameRva: 'u64' });

export const module = record({
  base: 'u64',
  size: 'u32',
  checksum: 'u32',
  timeDateStamp: 'u32',
  nameRva: 'u32',
  version: ['u32', 13],
  codeView: location,
  misc: location,
  reserved0: 'u64',
  reserved1: 'u64',
});

export const exception = record({
  code: 'u32',
  flags: 'u32',
  nested: 'u64',
  address: 'u64',
  parameterCount: 'u32',
  padding: 'u32',
  parameters: ['u64', 15],
});

export const exceptionStream = record({ tid: 'u32', padding: 'u32', exception, context: location });

export const systemInfo = record({
  processor: 'u16',
  level: 'u16',
  revision: 'u16',
  processorCount: 'u8',
  productType: 'u8',
  major: 'u32',
  minor: 'u32',
  build: 'u32',
  platform: 'u32',
  csdVersionRva: 'u32',
  suiteMask: 'u16',
  reserved: 'u16',
  /** x86: vendor (12 bytes), version, features, AMD features; ARM: cpuid, hwcaps. */
  cpu: 24,
});

/** `platform` of {@link systemInfo}. */
export const PLATFORM_LINUX = 0x8201;

export const memoryInfoHeader = record({ headerSize: 'u32', entrySize: 'u32', count: 'u64' });

export const memoryInfo = record({
  base: 'u64',
  allocationBase: 'u64',
  allocationProtection: 'u32',
  padding0: 'u32',
  size: 'u64',
  state: 'u32',
  protection: 'u32',
  type: 'u32',
  padding1: 'u32',
});

/** `state` and `type` of {@link memoryInfo}. */
export const MemoryState = { commit: 0x1000, private: 0x20000, mapped: 0x40000, image: 0x1000000 } as const;

export const handleHeader = record({ headerSize: 'u32', entrySize: 'u32', count: 'u32', reserved: 'u32' });

export const handle = record({
  handle: 'u64',
  typeNameRva: 'u32',
  objectNameRva: 'u32',
  attributes: 'u32',
  grantedAccess: 'u32',
  handleCount: 'u32',
  pointerCount: 'u32',
});

/** MINIDUMP_MISC_INFO; flag 1: the process id counts, flag 2: the times do. */
export const miscInfo = record({
  size: 'u32',
  flags: 'u32',
  processId: 'u32',
  /** Seconds since 1970. */
  createTime: 'u32',
  /** Seconds. */
  userTime: 'u32',
  kernelTime: 'u32',
});

export const crashpadInfo = record({
  version: 'u32',
  reportId: 16,
  clientId: 16,
  annotations: location,
  modules: location,
  /** Not in dumps of older writers, as the mask. */
  reserved: 'u32',
  addressMaskLow: 'u32',
  addressMaskHigh: 'u32',
});

const debug64 = record({
  version: 'u32',
  mapRva: 'u32',
  dsoCount: 'u32',
  padding: 'u32',
  brk: 'u64',
  ldbase: 'u64',
  dynamic: 'u64',
});

const debug32 = record({
  version: 'u32',
  mapRva: 'u32',
  dsoCount: 'u32',
  brk: 'w32',
  ldbase: 'w32',
  dynamic: 'w32',
});

const linkMap64 = record({ address: 'u64', nameRva: 'u32', padding: 'u32', dynamic: 'u64' });

const linkMap32 = record({ address: 'w32', nameRva: 'u32', dynamic: 'w32' });

/** What the dynamic linker tells debuggers, by the width of a pointer: the list, and its entries. */
export const dsoDebug = {
  64: { head: debug64, linkMap: linkMap64 },
  32: {
    head: debug32 as unknown as typeof debug64,
    linkMap: linkMap32 as unknown as typeof linkMap64,
  },
} as const;
