export { type Boot, separateBoots } from './boots.ts';
export { type Compression, compressions } from './compression/decompress.ts';
export { type ConsoleEvent, ConsoleFollower } from './console-follower.ts';
export { type DetectedLayout, detectLayout } from './detect-layout.ts';
export type { DmesgRecord, RecordTime } from './dmesg.ts';
export { type FtraceEntry, type FtraceFormat, FtraceLog } from './ftrace.ts';
export { eccNotice, type KernelFile, type KernelFilesOptions, kernelFiles } from './kernel-files.ts';
export {
  ARCVM_LAYOUT,
  type ByteOrder,
  placeZones,
  type RamoopsLayout,
  type ZoneKind,
  type ZonePlace,
} from './layout.ts';
export { parseCommandLine, parseLayout } from './layout-text.ts';
export { type Problem, type ProblemCode, PstoreError, type PstoreErrorCode } from './pstore-error.ts';
export { type Ramoops, type RamoopsOptions, readRamoops } from './ramoops.ts';
export { type KernelSymbol, kernelOffset, type SymbolOptions, SymbolTable } from './symbols.ts';
export type { Correction, Zone } from './zone.ts';
