import { ARCVM_LAYOUT, DEFAULT_ZONE_SIZE, type RamoopsLayout } from './layout.ts';
import { PstoreError } from './pstore-error.ts';

const ZONES = {
  record: 'recordSize',
  console: 'consoleSize',
  ftrace: 'ftraceSize',
  pmsg: 'pmsgSize',
} as const;
const OTHERS = { mem: 'memSize', address: 'memAddress', ecc: 'ecc', cpus: 'ftraceZones' } as const;
const BYTE_ORDERS = ['little', 'big'] as const;

type SizeKey = Exclude<keyof RamoopsLayout, 'byteOrder' | 'alignment'>;

/** The module's parameters that say how the region is laid out. */
const PARAMETERS: Readonly<Record<string, SizeKey>> = {
  mem_size: 'memSize',
  mem_address: 'memAddress',
  record_size: 'recordSize',
  console_size: 'consoleSize',
  ftrace_size: 'ftraceSize',
  pmsg_size: 'pmsgSize',
  ecc: 'ecc',
};

/**
 * The layout that a kernel's command line gives: its words `ramoops.mem_size=0x100000` and so on, of which the last one
 * counts. What it leaves out the kernel takes for 4096 bytes, and no parity.
 *
 * @throws {PstoreError} ERR_LAYOUT_TEXT when it says nothing of ramoops, or a number is none
 */
export function parseCommandLine(text: string): RamoopsLayout {
  const found: Partial<Record<SizeKey, number>> = {};
  for (const { 0: word, index } of text.matchAll(/\S+/g)) {
    const [, name = '', value = ''] = /^"?ramoops\.([a-z_-]+)=([^"]*)/.exec(word) ?? [];
    const key = PARAMETERS[name.replaceAll('-', '_')];
    if (key) found[key] = kernelNumber(value, text, index);
  }
  if (found.memSize === undefined) {
    throw new PstoreError(
      'ERR_LAYOUT_TEXT',
      'no ramoops.mem_size= on this kernel command line: give its words ramoops.*=',
    );
  }
  return {
    ...found,
    recordSize: found.recordSize ?? DEFAULT_ZONE_SIZE,
    consoleSize: found.consoleSize ?? DEFAULT_ZONE_SIZE,
    ftraceSize: found.ftraceSize ?? DEFAULT_ZONE_SIZE,
    pmsgSize: found.pmsgSize ?? DEFAULT_ZONE_SIZE,
    ecc: found.ecc ?? 0,
  };
}

/**
 * A layout as text: `arcvm`; or `record=128K,console=0x20000,pmsg=131072,ecc=16` with any of `mem`, `address`, `record`,
 * `console`, `ftrace`, `pmsg`, `ecc`, `cpus` and `order=little|big`, where a zone that is not named is not there; or a
 * kernel command line. Numbers are those of C, with K, M or G behind them if you like.
 *
 * @throws {PstoreError} ERR_LAYOUT_TEXT
 */
export function parseLayout(text: string): RamoopsLayout {
  if (text === 'arcvm') return ARCVM_LAYOUT;
  if (text.includes('ramoops.')) return parseCommandLine(text);
  const layout: { -readonly [Key in keyof RamoopsLayout]: RamoopsLayout[Key] } = {
    recordSize: 0,
    consoleSize: 0,
    ftraceSize: 0,
    pmsgSize: 0,
    ecc: 0,
  };
  const names: Readonly<Record<string, SizeKey>> = { ...ZONES, ...OTHERS };
  for (const { 0: word, index } of text.matchAll(/[^,\s]+/g)) {
    const [name = '', value = ''] = word.split('=', 2);
    const key = Object.hasOwn(names, name) ? names[name] : undefined;
    const order = BYTE_ORDERS.find((each) => name === 'order' && each === value);
    if (order) layout.byteOrder = order;
    else if (key) layout[key] = kernelNumber(value, text, index);
    else {
      throw new PstoreError(
        'ERR_LAYOUT_TEXT',
        `${JSON.stringify(word)} says nothing of a layout: write arcvm, or record=, console=, ftrace=, pmsg=, ecc=, mem=, ` +
          'address=, cpus= with a number and order= with little or big',
        { offset: index },
      );
    }
  }
  return layout;
}

/** kstrtoul() with base 0, and the suffixes of memparse(). */
function kernelNumber(digits: string, text: string, offset: number): number {
  const [, hex, octal, decimal, suffix = ''] =
    /^(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*))([kmg]?)$/i.exec(digits) ?? [];
  const value = hex ? Number.parseInt(hex, 16) : octal ? Number.parseInt(octal, 8) : Number(decimal);
  const scaled = value * 1024 ** ' kmg'.indexOf(suffix.toLowerCase() || ' ');
  if (Number.isSafeInteger(scaled)) return scaled;
  const word = /^\S+/.exec(text.slice(offset))?.[0] ?? '';
  throw new PstoreError(
    'ERR_LAYOUT_TEXT',
    `${JSON.stringify(digits)} in ${JSON.stringify(word)} is not a number`,
    {
      offset,
    },
  );
}
