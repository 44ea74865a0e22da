import type { RamoopsLayout } from '../src/layout.ts';
import { placeZones, type ZoneKind, zoneSpace } from '../src/layout.ts';
import { buildRamoops, compress, RamoopsWriter } from '../src/synth/index.ts';
import { Random } from './random.ts';

/** A region that a kernel may find. */
export interface MadeRegion {
  readonly name: string;
  readonly layout: RamoopsLayout & { memSize: number };
  readonly region: Uint8Array;
}

const SMALL = {
  memSize: 0x20000,
  recordSize: 0x4000,
  consoleSize: 0x4000,
  ftraceSize: 0x1000,
  pmsgSize: 0x2000,
  ecc: 0,
};
const random = new Random(7);
const LONG = random.log(60_000);
const SHORT = random.log(900);
const oops = (count: number, log = LONG.slice(0, 12_000)) =>
  ({
    reason: 'Oops',
    count,
    seconds: 1_795_400_000 + count,
    microseconds: 20_000,
    log,
    compression: 'deflate',
  }) as const;
const typical = { dumps: [oops(1)], console: LONG, pmsg: 'first\nsecond, no newline' };

/** Made by our writer, whole or damaged: what the real regions do not show. */
export function madeRegions(): MadeRegion[] {
  const regions: MadeRegion[] = [];
  const add = (name: string, layout: MadeRegion['layout'], region: Uint8Array) =>
    regions.push({ name, layout, region });
  const build = (
    name: string,
    more: Partial<RamoopsLayout>,
    contents: Partial<Parameters<typeof buildRamoops>[0]> = {},
  ) => {
    const layout = { ...SMALL, ...more };
    add(name, layout, buildRamoops({ layout, ...typical, ...contents }));
  };
  for (const ecc of [0, 1, 2, 5, 16, 32, 64, 127]) build(`ecc=${ecc}, a ring that wraps`, { ecc });
  build('a console that is exactly full', {}, { console: LONG.slice(0, 0x4000 - 12) });
  build('a console of one byte more than fits', {}, { console: LONG.slice(0, 0x4000 - 11) });
  build(
    'a console with parity that is exactly full',
    { ecc: 1 },
    { console: LONG.slice(0, spaceOf('console', 1)) },
  );
  build('more dumps than zones', {}, { dumps: Array.from({ length: 9 }, (_, index) => oops(index + 1)) });
  build(
    'dumps as they are, cut off at the end of the zone',
    {},
    { dumps: [{ log: LONG, seconds: 5 }, { log: SHORT }] },
  );
  build(
    'dumps as they are, with parity',
    { ecc: 32 },
    { dumps: [{ log: LONG, seconds: 5 }, { log: SHORT }] },
  );
  build('zones that do not fit evenly', { memSize: 0x1d000, recordSize: 0x8000 });
  build('sizes that are no powers of two', { recordSize: 0x5000, consoleSize: 0x4fff, pmsgSize: 0x3001 });
  build('no dumps', { memSize: 0x7000, recordSize: 0 }, { dumps: [] });
  build('no console, no pmsg', { consoleSize: 0, pmsgSize: 0 }, { console: '', pmsg: '' });
  build('a megabyte with parity', { memSize: 0x100000, recordSize: 0x20000, consoleSize: 0x40000, ecc: 1 });
  build('binary in console and pmsg', { ecc: 1 }, { console: random.bytes(30_000), pmsg: random.bytes(500) });
  for (const { name, ecc, damage } of DAMAGES) {
    const layout = { ...SMALL, ecc };
    const region = buildRamoops({ layout, ...typical, dumps: [oops(1), oops(2), { log: SHORT }] });
    damage(region, layout);
    add(name, layout, region);
  }
  for (const [name, stored] of HEADERS) {
    const writer = new RamoopsWriter(SMALL);
    writer.dump(oops(1));
    writer.console(SHORT);
    putDump(writer.region, 1, stored);
    add(`a dump stored as ${name}`, SMALL, writer.region);
  }
  const twoBoots = new RamoopsWriter({ ...SMALL, ecc: 1 });
  for (let count = 1; count <= 3; count++) twoBoots.dump(oops(count));
  const second = new RamoopsWriter({ ...SMALL, ecc: 1 }, { region: twoBoots.region });
  second.dump(oops(1, SHORT));
  second.console('a second boot\n');
  add('two boots', { ...SMALL, ecc: 1 }, second.region);
  add('nothing at all', SMALL, new Uint8Array(SMALL.memSize));
  return regions;
}

/** Layout, contents and damage by chance. */
export function randomRegion(seed: number): MadeRegion {
  const dice = new Random(seed);
  const size = () => 2 ** (10 + dice.below(5));
  const layout = {
    memSize: 2 ** (16 + dice.below(3)),
    recordSize: dice.pick([0, size(), size(), size()]),
    consoleSize: dice.pick([0, size(), size()]),
    ftraceSize: dice.pick([0, 0, size()]),
    pmsgSize: dice.pick([size(), size(), size() + dice.below(1000)]),
    ecc: dice.pick([0, 0, 0, 1, 1, 16, 32, 2 + dice.below(60)]),
  };
  const writer = new RamoopsWriter(layout);
  for (let dumps = dice.below(layout.recordSize > 0 ? 5 : 1); dumps > 0; dumps--) {
    writer.dump({
      reason: dice.pick(['Oops', 'Panic', 'Emergency', 'Shutdown', 'Unknown']),
      seconds: dice.pick([0, 1, 1_795_400_000]),
      microseconds: dice.below(1e6),
      log: dice.log(dice.below(2 * layout.recordSize)),
      compression: dice.pick(['none', 'deflate', 'deflate']),
    });
  }
  for (let writes = dice.below(layout.consoleSize > 0 ? 20 : 1); writes > 0; writes--)
    writer.console(dice.log(dice.below(4000)));
  for (let writes = dice.below(5); writes > 0; writes--) writer.pmsg(dice.bytes(1 + dice.below(3000)));
  mutate(writer.region, layout, dice);
  return { name: `region ${seed}`, layout, region: writer.region };
}

/** A few wrong bytes, most of them where they matter. */
export function mutate(region: Uint8Array, layout: RamoopsLayout, dice: Random): void {
  const places = placeZones(layout, region.length);
  for (let count = dice.below(12); count > 0; count--) {
    const { offset, size } = dice.pick(places);
    const at = dice.pick([
      offset + dice.below(12),
      offset + dice.below(64),
      offset + dice.below(size),
      offset + size - 1 - dice.below(Math.min(size, 64)),
    ]);
    region[at] = dice.pick([
      dice.below(256),
      (region[at] as number) ^ (1 << dice.below(8)),
      0,
      0xff,
      0x20,
      0x0a,
    ]);
  }
}

function spaceOf(kind: ZoneKind, ecc: number): number {
  const place = placeZones({ ...SMALL, ecc }, SMALL.memSize).find((each) => each.kind === kind);
  return zoneSpace(place?.size ?? 0, ecc)?.capacity ?? 0;
}

function startOf(layout: RamoopsLayout, kind: ZoneKind, index = 0): number {
  const place = placeZones(layout, SMALL.memSize).find((each) => each.kind === kind && each.index === index);
  return place?.offset ?? Number.NaN;
}

/** A dump that our writer would not write. */
function putDump(region: Uint8Array, index: number, stored: Uint8Array): void {
  const start = startOf(SMALL, 'dmesg', index);
  const view = new DataView(region.buffer, region.byteOffset);
  view.setUint32(start + 4, stored.length, true);
  view.setUint32(start + 8, stored.length, true);
  region.set(stored, start + 12);
}

const compressed = compress('deflate', Buffer.from(`Panic#3 Part1\n${SHORT}`));
const text = (header: string, ...rest: Uint8Array[]) =>
  Buffer.concat([Buffer.from(header, 'latin1'), ...rest]);

const HEADERS: readonly (readonly [name: string, stored: Uint8Array])[] = [
  ['no header', text('Panic#3 Part1\nhello\n')],
  ['an old header, without a type', text('====1795400000.000042\nPanic#3 Part1\nhello\n')],
  ['a header with spaces', text('==== 17 . 42 -D \n\t\n hello\n')],
  ['a header with spaces before its numbers', text('====  17.  42-D\nhello\n')],
  ['a header and white space, no-break space among it', text('====17.42-D\n\v\f\r \xa0\nhello\n')],
  ['a header of another type', text('====17.42-X\nhello\n')],
  ['a header that ends at the hyphen', text('====17.42-')],
  ['a header that ends at the type', text('====17.42-D')],
  ['a header without a newline', text('====17.42-Dhello\n')],
  ['a header before the epoch', text('====-17.000042-D\nhello\n')],
  ['a header of very many digits', text(`====${'9'.repeat(60)}.${'8'.repeat(60)}-D\nhello\n`)],
  ['a header without microseconds', text('====17.-D\nhello\n')],
  ['nothing but a header', text('====17.42-D\n')],
  ['compressed, with more behind it', text('====17.42-C\n', compressed, Buffer.from('more'))],
  ['compressed, cut off', text('====17.42-C\n', compressed.subarray(0, -9))],
  ['compressed, cut off by a byte', text('====17.42-C\n', compressed.subarray(0, -1))],
  ['compressed, but marked as plain', text('====17.42-D\n', compressed)],
  ['plain, but marked as compressed', text('====17.42-C\n', Buffer.from('Panic#3 Part1\nhello\n'))],
  ['compressed, of nothing', text('====17.42-C\n', compress('deflate', new Uint8Array(0)))],
  [
    'compressed, of something else than a dump',
    text('====17.42-C\n', compress('deflate', Buffer.from('hello\n'))),
  ],
  [
    'compressed, as large as the kernel takes it',
    text('====17.42-C\n', compress('deflate', new Uint8Array(27_286))),
  ],
  [
    'compressed, larger than the kernel takes it',
    text('====17.42-C\n', compress('deflate', new Uint8Array(27_287))),
  ],
];

interface Damage {
  readonly name: string;
  readonly ecc: number;
  damage(region: Uint8Array, layout: RamoopsLayout): void;
}

function flip(region: Uint8Array, at: number, count: number, step = 1): void {
  for (let index = 0; index < count; index++)
    region[at + index * step] = (region[at + index * step] as number) ^ 0x5a;
}

const setWord = (region: Uint8Array, at: number, value: number) =>
  new DataView(region.buffer, region.byteOffset).setUint32(at, value, true);

const DAMAGES: readonly Damage[] = [
  { name: 'a signature that parity puts right', ecc: 1, damage: (r, l) => flip(r, startOf(l, 'console'), 4) },
  { name: 'a header beyond repair', ecc: 1, damage: (r, l) => flip(r, startOf(l, 'console'), 12) },
  {
    name: 'a header whose parity is beyond repair',
    ecc: 1,
    damage: (r, l) => flip(r, startOf(l, 'console') + 0x4000 - 16, 9),
  },
  { name: 'a lost signature', ecc: 0, damage: (r, l) => flip(r, startOf(l, 'dmesg', 1), 1) },
  {
    name: 'eight wrong bytes in each block',
    ecc: 1,
    damage: (r, l) => flip(r, startOf(l, 'console') + 12, 8 * 100, 16),
  },
  {
    name: 'nine wrong bytes in a block',
    ecc: 1,
    damage: (r, l) => flip(r, startOf(l, 'console') + 12 + 256, 9, 3),
  },
  {
    name: 'blocks beyond repair',
    ecc: 1,
    damage: (r, l) => flip(r, startOf(l, 'console') + 12 + 1000, 3000),
  },
  {
    name: 'wrong parity bytes',
    ecc: 1,
    damage: (r, l) => flip(r, startOf(l, 'console') + 0x4000 - 300, 40, 5),
  },
  {
    name: 'wrong bytes in a compressed dump',
    ecc: 0,
    damage: (r, l) => flip(r, startOf(l, 'dmesg', 1) + 500, 3),
  },
  { name: 'the same, put right', ecc: 16, damage: (r, l) => flip(r, startOf(l, 'dmesg', 1) + 500, 3) },
  {
    name: 'a wrong byte at the beginning of a dump',
    ecc: 0,
    damage: (r, l) => flip(r, startOf(l, 'dmesg') + 12, 1),
  },
  {
    name: 'a size of more than fits',
    ecc: 0,
    damage: (r, l) => setWord(r, startOf(l, 'console') + 8, 0x4000 - 11),
  },
  { name: 'a negative size', ecc: 0, damage: (r, l) => setWord(r, startOf(l, 'console') + 8, 0xffffffff) },
  { name: 'a start behind the end', ecc: 0, damage: (r, l) => setWord(r, startOf(l, 'pmsg') + 4, 24) },
  {
    name: 'a start in the middle of what is not full',
    ecc: 0,
    damage: (r, l) => setWord(r, startOf(l, 'pmsg') + 4, 7),
  },
  {
    name: 'a start in the middle of a dump',
    ecc: 0,
    damage: (r, l) => setWord(r, startOf(l, 'dmesg') + 4, 7),
  },
  { name: 'a size of 0 with a start', ecc: 0, damage: (r, l) => setWord(r, startOf(l, 'pmsg') + 8, 0) },
  {
    name: 'a ring of which only the start is lost',
    ecc: 0,
    damage: (r, l) => setWord(r, startOf(l, 'console') + 4, 0),
  },
];
