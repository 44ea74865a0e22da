export { Core, readCore } from './core/core.ts';
export { type FileMapping, fileNameOf } from './core/file-mapping.ts';
export type { Module } from './core/modules.ts';
export type { ProcessInfo } from './core/process-info.ts';
export type { ReadAt } from './core/reading.ts';
export type { Segment, Segments } from './core/segment.ts';
export { type Signal, signalName } from './core/signal.ts';
export type { CoreThread } from './core/thread.ts';
export type { Addresses, Cpu, CpuName, FloatNotes, Registers, SignalFrame } from './cpu/cpu.ts';
export { debugId } from './dump/code-view.ts';
export type {
  CrashpadInfo,
  DumpContents,
  DumpDsoDebug,
  DumpException,
  DumpHandle,
  DumpModule,
  DumpThread,
  LinuxFiles,
  MemoryInfo,
  MemoryRange,
  MiscInfo,
  SystemInfo,
} from './dump/contents.ts';
export { Minidump, readMinidump, type Stream } from './dump/minidump.ts';
export { DUMP_REQUESTED, type StreamName, StreamType } from './dump/records.ts';
export { writeMinidump } from './dump/write-minidump.ts';
export {
  CoreError,
  type CoreErrorCode,
  MinidumpError,
  type MinidumpErrorCode,
  type SoftError,
  type SoftErrors,
} from './errors.ts';
export type { RecordType } from './record.ts';
