import type { FtraceEntry } from '../ftrace.ts';
import type { RamoopsLayout } from '../layout.ts';
import { type Dump, RamoopsWriter, type RamoopsWriterOptions } from './ramoops-writer.ts';

/** What a kernel wrote until it ended. */
export interface RamoopsContents extends RamoopsWriterOptions {
  /** With `memSize`, unless there is a region to write into. */
  readonly layout: RamoopsLayout;
  readonly dumps?: readonly Dump[];
  /** All that was written, also what a ring has no room for. */
  readonly console?: string | Uint8Array;
  readonly pmsg?: string | Uint8Array;
  readonly trace?: readonly FtraceEntry[];
}

/**
 * The region that a kernel leaves which has written this.
 *
 * @throws {PstoreError} ERR_LAYOUT, ERR_RECORD
 */
export function buildRamoops(contents: RamoopsContents): Uint8Array {
  const { layout, dumps = [], console = '', pmsg = '', trace = [], ...options } = contents;
  const writer = new RamoopsWriter(layout, options);
  for (const dump of dumps) writer.dump(dump);
  if (console.length > 0) writer.console(console);
  if (pmsg.length > 0) writer.pmsg(pmsg);
  for (const entry of trace) writer.trace(entry);
  return writer.region;
}
