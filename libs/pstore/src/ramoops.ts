import { type Boot, separateBoots } from './boots.ts';
import { completeLayout, detectLayout } from './detect-layout.ts';
import { type DmesgOptions, type DmesgRecord, readDmesg } from './dmesg.ts';
import { type FtraceFormat, FtraceLog } from './ftrace.ts';
import { parityBytes, placeZones, type RamoopsLayout, type ZoneKind } from './layout.ts';
import { parseLayout } from './layout-text.ts';
import { type Problem, PstoreError } from './pstore-error.ts';
import { reedSolomon } from './reed-solomon.ts';
import { readZone, type Zone } from './zone.ts';

export interface RamoopsOptions extends DmesgOptions {
  /** Zones of these kinds alone; default all. The others are not there then. */
  readonly kinds?: readonly ZoneKind[];
  readonly ftrace?: FtraceFormat;
}

/** All that a region holds. Where nothing was written or nothing is left, there is `undefined`, and `zones` tell why. */
export interface Ramoops {
  readonly layout: RamoopsLayout;
  /** All zones, in the order in which they lie. */
  readonly zones: readonly Zone[];
  /** In the order of their zones. */
  readonly dmesg: readonly DmesgRecord[];
  /** The same dumps by boot, the last one first. */
  readonly boots: readonly Boot[];
  readonly console: Zone | undefined;
  readonly pmsg: Zone | undefined;
  readonly ftrace: FtraceLog | undefined;
  /** What is wrong, of zones and dumps. That a zone was never written is not. */
  readonly problems: readonly Problem[];
}

/**
 * Reads a region of persistent RAM as the kernel that boots next would.
 *
 * Nothing of the region is copied that can be viewed: leave it alone as long as the result is used.
 *
 * @param layout sizes; or their text, as `parseLayout` takes it: `record=128K,console=64K`, a kernel command line, `arcvm`;
 *   default `auto`: `detectLayout` finds it
 * @throws {PstoreError} ERR_LAYOUT, ERR_LAYOUT_TEXT, ERR_LAYOUT_UNKNOWN, ERR_REGION_SIZE. Damage is no error: see `problems`
 */
export function readRamoops(
  bytes: Uint8Array,
  layout: RamoopsLayout | string = 'auto',
  options: RamoopsOptions = {},
): Ramoops {
  const given =
    typeof layout !== 'string'
      ? layout
      : layout === 'auto'
        ? detectLayout(bytes).layout
        : parseLayout(layout);
  const known = { ...given, memSize: given.memSize ?? bytes.length };
  if (known.memSize > bytes.length) {
    throw new PstoreError(
      'ERR_REGION_SIZE',
      `there are ${bytes.length} bytes, and the layout says that the region has ${known.memSize}: give all of it`,
      { offset: bytes.length },
    );
  }
  const { zones, complete } = readZones(bytes, known, options.kinds);
  const dmesg: DmesgRecord[] = [];
  const problems: Problem[] = zones.flatMap((zone) =>
    zone.problems.filter(({ code }) => code !== 'no-signature'),
  );
  for (const zone of zones) {
    if (zone.kind !== 'dmesg' || zone.state !== 'used') continue;
    const record = readDmesg(zone, options);
    if ('code' in record) problems.push(record);
    else {
      dmesg.push(record);
      problems.push(...record.problems);
    }
  }
  const used = (kind: Zone['kind']) => zones.find((zone) => zone.kind === kind && zone.state === 'used');
  return {
    layout: complete,
    zones,
    dmesg,
    boots: separateBoots(dmesg),
    console: used('console'),
    pmsg: used('pmsg'),
    ftrace: used('ftrace') && ftraceOf(zones, { byteOrder: known.byteOrder ?? 'little', ...options.ftrace }),
    problems,
  };
}

function ftraceOf(zones: readonly Zone[], format: FtraceFormat): FtraceLog {
  return new FtraceLog(
    zones.filter(({ kind }) => kind === 'ftrace'),
    format,
  );
}

/** Reads the zones, of a layout that is completed from what the region shows. */
function readZones(
  bytes: Uint8Array,
  layout: RamoopsLayout,
  kinds: readonly ZoneKind[] | undefined,
): { zones: Zone[]; complete: RamoopsLayout } {
  const complete = completeLayout(bytes, layout);
  const parity = parityBytes(layout.ecc);
  const reader = {
    ecc: layout.ecc,
    byteOrder: layout.byteOrder ?? 'little',
    code: parity > 0 ? reedSolomon(parity) : undefined,
  };
  const places = placeZones(complete, bytes.length).filter(({ kind }) => kinds?.includes(kind) ?? true);
  return { zones: places.map((place) => readZone(bytes, place, reader)), complete };
}
