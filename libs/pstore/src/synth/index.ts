export { buildRamoops, type RamoopsContents } from './build-ramoops.ts';
export { compress } from './compress.ts';
export { type Dump, RamoopsWriter, type RamoopsWriterOptions } from './ramoops-writer.ts';
