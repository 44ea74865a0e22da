import type { DmesgRecord, Ramoops, SymbolTable, Zone, ZoneKind } from '@vm-tools/pstore';
import type { RegionFile } from '@vm-tools/pstore/host';

export interface JsonOptions {
  readonly region: RegionFile;
  readonly path: string;
  readonly kinds: readonly ZoneKind[];
  readonly symbols: SymbolTable | undefined;
}

/** The document that README.md describes; in one line, and safe to print. */
export function toJson(ramoops: Ramoops, { region, path, kinds, symbols }: JsonOptions): string {
  const { layout, zones, dmesg, boots, console, pmsg, ftrace, problems } = ramoops;
  const detected = region.detected && {
    confidence: region.detected.confidence,
    reasons: region.detected.reasons,
  };
  const bootOf = (record: DmesgRecord) => boots.findIndex(({ records }) => records.includes(record));
  const records = kinds.flatMap<object>((kind) => {
    if (kind === 'dmesg') return dmesg.map((record) => ({ ...describeDump(record), boot: bootOf(record) }));
    if (kind === 'ftrace') {
      const entries = Array.from(ftrace ?? [], ({ cpu, stamp, address, caller }) => ({
        cpu,
        stamp: String(stamp),
        address: hex(address),
        caller: hex(caller),
        ...(symbols ? { function: symbols.describe(address), calledFrom: symbols.describe(caller) } : {}),
      }));
      return ftrace ? [{ kind, name: 'ftrace-ramoops-0', ecc: ftrace.correction, entries }] : [];
    }
    const zone = kind === 'console' ? console : pmsg;
    return zone
      ? [{ kind, name: `${kind}-ramoops-0`, ecc: zone.correction, full: zone.isFull, ...content(zone.data) }]
      : [];
  });
  return printable({ file: path, layout, detected, zones: zones.map(describeZone), records, problems });
}

/** JSON lets control characters beyond ASCII through. */
export function printable(value: unknown): string {
  const json = JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each));
  return `${json.replace(/[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escaped)}\n`;
}

/** As text, and where it is none, in base64 as well. */
export function content(data: Uint8Array): { text: string; base64?: string } {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const text = buffer.toString('utf8');
  return Buffer.from(text).equals(buffer) ? { text } : { text, base64: buffer.toString('base64') };
}

function describeDump({ zone, index, time, reason, count, part, compression, data }: DmesgRecord): object {
  const seconds = time && Number(time.seconds) + time.nanoseconds / 1e9;
  return {
    kind: 'dmesg',
    name: `dmesg-ramoops-${index}`,
    time: seconds,
    reason,
    count,
    part,
    compression,
    ecc: zone.correction,
    ...content(data),
  };
}

function describeZone({ kind, index, offset, size, state, data, kernelVersion }: Zone): object {
  return { kind, index, offset, size, state, used: data.length, kernelVersion };
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
