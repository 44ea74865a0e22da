export type { ConversionSummary } from '../convert/convert.ts';
export type { ConvertOptions, ProcessFacts } from '../convert/facts.ts';
export type { MappedFile, OpenFile } from '../core/modules.ts';
export { type ConvertCoreOptions, type CoreSource, convertCore, type DumpTarget } from './convert-core.ts';
export { type ProcessSnapshot, readProcess } from './process.ts';
