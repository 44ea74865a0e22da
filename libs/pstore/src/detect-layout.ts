import {
  type ByteOrder,
  HEADER_SIZE,
  placeZones,
  type RamoopsLayout,
  share,
  type ZonePlace,
  zoneSpace,
} from './layout.ts';
import { PstoreError } from './pstore-error.ts';
import { reedSolomon } from './reed-solomon.ts';
import { readWord, SIGNATURE, versionName } from './zone.ts';

export interface DetectedLayout {
  readonly layout: RamoopsLayout;
  /**
   * `certain`: every zone has its signature, none is left over, and no other layout explains that. `likely`: what is in the zones
   * decides between several. `guess`: it does not, or there are zones without a signature.
   */
  readonly confidence: 'certain' | 'likely' | 'guess';
  /** What speaks for it, and what against. */
  readonly reasons: readonly string[];
}

/** Where zones seem to begin. */
interface Signatures {
  readonly byteOrder: ByteOrder;
  readonly plain: ReadonlySet<number>;
  readonly ftrace: ReadonlySet<number>;
}

interface Hypothesis {
  readonly layout: RamoopsLayout;
  readonly places: readonly ZonePlace[];
  /** Zones whose signature is there. */
  readonly matched: number;
  /** Signatures that begin no zone. */
  readonly leftOver: number;
  /** How much has to have gone wrong for it to be true. */
  readonly penalty: number;
  /** What the zones hold. */
  readonly evidence: number;
}

/** Nobody makes smaller ones: a page is the least that the kernel's own default is. */
const SMALLEST_ZONE = 1024;
/** More places than that are what some text looks like, not zones. */
const MAX_SIGNATURES = 1 << 17;
/** NR_CPUS of x86-64 with CONFIG_MAXSMP. */
const MAX_CPUS = 8192;
const MAX_PARITY = 127;

/**
 * Finds how a region is laid out, from the signatures of its zones and from what they hold. The bytes must be the region and
 * nothing else, and a kernel must have made it ready.
 *
 * @throws {PstoreError} ERR_LAYOUT_UNKNOWN when there is no signature at all, or no layout has zones where they are
 */
export function detectLayout(bytes: Uint8Array): DetectedLayout {
  const signatures = findSignatures(bytes);
  if (signatures.plain.size + signatures.ftrace.size === 0) {
    throw new PstoreError(
      'ERR_LAYOUT_UNKNOWN',
      `in ${bytes.length} bytes no zone begins: no kernel has made this region ready, or it is no ramoops region`,
      { offset: 0 },
    );
  }
  const ranked = hypotheses(bytes, signatures).sort(compare);
  const [best, second] = ranked;
  if (!best) {
    throw new PstoreError(
      'ERR_LAYOUT_UNKNOWN',
      `of ${signatures.plain.size + signatures.ftrace.size} zones that seem to begin in ${bytes.length} bytes, no layout has ` +
        'them there: give the sizes, or the kernel command line',
      { offset: 0 },
    );
  }
  const ecc = findParity(bytes, best.places, signatures.byteOrder);
  const rivals = ranked.filter((each) => each !== best && isAsGood(each, best));
  const missing = best.places.length - best.matched;
  const reasons = [
    `${best.matched} of ${best.places.length} zones begin with a signature`,
    ...(best.leftOver > 0 ? [`${best.leftOver} signatures are left over`] : []),
    ...(ecc > 0 ? [`the parity of their headers is that of ecc=${ecc}`] : []),
  ];
  let confidence: DetectedLayout['confidence'] = missing > 0 ? 'guess' : 'certain';
  if (rivals.length > 0) {
    const decides = second !== undefined && second.evidence < best.evidence;
    if (confidence === 'certain') confidence = decides ? 'likely' : 'guess';
    const count = `${rivals.length} other layout${rivals.length === 1 ? ' has' : 's have'} zones at the same places`;
    reasons.push(
      decides ? `${count}; what the zones hold decides` : `${count}, and what they hold does not decide`,
    );
  }
  return { layout: { ...best.layout, ecc }, confidence, reasons };
}

/**
 * A layout with what parameters do not say: how many ftrace zones there are, and whether zones that do not come out even have odd
 * sizes. What is given stays.
 */
export function completeLayout(bytes: Uint8Array, layout: RamoopsLayout): RamoopsLayout {
  const alignments = layout.alignment === undefined ? ([2, 1] as const) : [layout.alignment];
  let best: { layout: RamoopsLayout; missing: number } | undefined;
  for (const alignment of alignments) {
    const aligned = { ...layout, alignment };
    const ftraceZones = layout.ftraceZones ?? countFtraceZones(bytes, aligned);
    const complete = ftraceZones === undefined ? aligned : { ...aligned, ftraceZones };
    const missing = placeZones(complete, bytes.length).filter(
      (place) => !isZone(bytes, place, layout),
    ).length;
    if (best === undefined || missing < best.missing) best = { layout: complete, missing };
  }
  return best?.layout ?? layout;
}

function isZone(
  bytes: Uint8Array,
  { kind, offset }: ZonePlace,
  { byteOrder = 'little' }: RamoopsLayout,
): boolean {
  const signature = readWord(bytes, offset, byteOrder);
  return kind === 'ftrace' ? isFtrace(signature) : signature === SIGNATURE;
}

/** As many as begin with the signature of an ftrace zone; undefined when there are none to be. */
function countFtraceZones(bytes: Uint8Array, layout: RamoopsLayout): number | undefined {
  if (layout.ftraceSize === 0) return undefined;
  const [first] = placeZones({ ...layout, ftraceZones: 1 }, bytes.length).filter(
    ({ kind }) => kind === 'ftrace',
  );
  if (!first) return undefined;
  for (let count = Math.min(MAX_CPUS, Math.floor(first.size / SMALLEST_FTRACE)); count > 1; count--) {
    const size = share(first.size, count, layout);
    if (zoneSpace(size, layout.ecc) === undefined) continue;
    let index = 0;
    while (index < count && isZone(bytes, { ...first, offset: first.offset + index * size }, layout)) index++;
    if (index === count) return count;
  }
  return 1;
}

const SMALLEST_FTRACE = 64;

function isFtrace(signature: number): boolean {
  return versionName((signature ^ SIGNATURE) >>> 0) !== undefined;
}

function findSignatures(bytes: Uint8Array): Signatures {
  for (const byteOrder of ['little', 'big'] as const) {
    const found = findSignaturesOf(bytes, byteOrder);
    if (found.plain.size + found.ftrace.size > 0) return found;
  }
  return { byteOrder: 'little', plain: new Set(), ftrace: new Set() };
}

function findSignaturesOf(bytes: Uint8Array, byteOrder: ByteOrder): Signatures {
  const plain = new Set<number>();
  const ftrace = new Set<number>();
  const highest = SIGNATURE >>> 24;
  const lead = byteOrder === 'little' ? 3 : 0;
  for (let at = bytes.indexOf(highest); at >= 0; at = bytes.indexOf(highest, at + 1)) {
    const offset = at - lead;
    if (offset < 0 || offset + HEADER_SIZE > bytes.length) continue;
    const signature = readWord(bytes, offset, byteOrder);
    if (signature === SIGNATURE) plain.add(offset);
    else if (isFtrace(signature) && hasRoom(bytes, offset, byteOrder)) ftrace.add(offset);
    if (plain.size + ftrace.size > MAX_SIGNATURES) break;
  }
  return { byteOrder, plain, ftrace };
}

/** Whether what follows can be start and size: text cannot. */
function hasRoom(bytes: Uint8Array, offset: number, byteOrder: ByteOrder): boolean {
  const size = readWord(bytes, offset + 8, byteOrder);
  return size <= bytes.length - offset - HEADER_SIZE && readWord(bytes, offset + 4, byteOrder) <= size;
}

/**
 * Every layout in powers of two whose zones begin where they should: at first those that leave nothing unexplained, and when there
 * are none, those that do.
 */
function hypotheses(bytes: Uint8Array, signatures: Signatures): Hypothesis[] {
  const contents = new Map<number, Content>();
  for (const mayMiss of [0, 1]) {
    const found: Hypothesis[] = [];
    for (const layout of layoutsOf(bytes.length, signatures)) {
      if (!isWorthATry(layout, bytes.length, signatures, mayMiss)) continue;
      const hypothesis = suppose(bytes, layout, signatures, contents);
      if (hypothesis && (mayMiss > 0 || hypothesis.penalty === 0)) found.push(hypothesis);
    }
    if (found.length > 0) return found;
  }
  return [];
}

function* layoutsOf(size: number, { ftrace, byteOrder }: Signatures): Generator<RamoopsLayout> {
  const sizes = [0];
  for (let each = SMALLEST_ZONE; each <= size; each *= 2) sizes.push(each);
  for (const ftraceSize of ftrace.size > 0 ? sizes : [0]) {
    for (const consoleSize of sizes) {
      for (const pmsgSize of sizes) {
        const dumps = size - consoleSize - ftraceSize - pmsgSize;
        if (dumps < 0) break;
        for (const recordSize of dumps === 0 ? [0] : sizes) {
          // Nothing that is not used.
          if (recordSize > dumps || (recordSize === 0) !== (dumps === 0)) continue;
          yield { recordSize, consoleSize, ftraceSize, pmsgSize, ecc: 0, byteOrder };
        }
      }
    }
  }
}

function suppose(
  bytes: Uint8Array,
  sizes: RamoopsLayout,
  signatures: Signatures,
  contents: Map<number, Content>,
): Hypothesis | undefined {
  const layout = completeLayout(bytes, sizes);
  const places = placeZones(layout, bytes.length);
  const isThere = ({ kind, offset }: ZonePlace) =>
    (kind === 'ftrace' ? signatures.ftrace : signatures.plain).has(offset);
  const matched = places.filter(isThere).length;
  // Damage may take a zone or two, not most of them.
  if (matched < 1 || 4 * matched < 3 * places.length) return undefined;
  let evidence = 0;
  for (const place of places.filter(isThere)) {
    let content = contents.get(place.offset);
    if (content === undefined) {
      content = contentAt(bytes, place.offset, signatures.byteOrder);
      contents.set(place.offset, content);
    }
    evidence += EVIDENCE[place.kind][content];
  }
  const there = new Set(places.filter(isThere).map(({ offset }) => offset));
  const others = [...signatures.plain, ...signatures.ftrace].filter((offset) => !there.has(offset));
  // A zone may lose its signature, and text may have one; a whole header comes from nothing but a zone.
  const penalty = others.reduce(
    (sum, offset) => sum + (hasRoom(bytes, offset, signatures.byteOrder) ? 3 : 1),
    2 * (places.length - matched),
  );
  return { layout, places, matched, leftOver: others.length, penalty, evidence };
}

/** A look at some of its zones, for there are thousands of layouts: of these so many may be without a signature. */
function isWorthATry(
  sizes: RamoopsLayout,
  regionSize: number,
  { plain, ftrace }: Signatures,
  mayMiss: number,
): boolean {
  const { recordSize, consoleSize, ftraceSize, pmsgSize } = sizes;
  const dumps = regionSize - consoleSize - ftraceSize - pmsgSize;
  const count = recordSize > 0 ? Math.floor(dumps / recordSize) : 0;
  if (count > 2 * plain.size) return false;
  for (const alignment of [2, 1] as const) {
    const size = count > 0 ? share(dumps, count, { ...sizes, alignment }) : 0;
    const afterDumps = count * size;
    const afterConsole = afterDumps + consoleSize;
    if (ftraceSize > 0 && !ftrace.has(afterConsole)) continue;
    let missing = 0;
    const look = (offset: number) => {
      if (!plain.has(offset)) missing++;
    };
    if (count > 0) look(0);
    if (count > 1) look(size);
    if (count > 2) look((count - 1) * size);
    if (consoleSize > 0) look(afterDumps);
    if (pmsgSize > 0 && ftraceSize === 0) look(afterConsole);
    if (missing <= mayMiss) return true;
  }
  return false;
}

/** What a zone's first bytes look like: the header of a dump, lines of the kernel's log, something else. */
type Content = 'empty' | 'dump' | 'log' | 'other';

const EVIDENCE: Readonly<Record<ZonePlace['kind'], Readonly<Record<Content, number>>>> = {
  dmesg: { empty: 0, dump: 4, log: -8, other: -6 },
  console: { empty: 0, dump: -8, log: 4, other: -2 },
  ftrace: { empty: 0, dump: 0, log: 0, other: 0 },
  pmsg: { empty: 0, dump: -8, log: -1, other: 2 },
};

function contentAt(bytes: Uint8Array, offset: number, byteOrder: ByteOrder): Content {
  if (readWord(bytes, offset + 8, byteOrder) === 0) return 'empty';
  const start = offset + HEADER_SIZE;
  const text = new TextDecoder('latin1').decode(bytes.subarray(start, start + 2048));
  if (text.startsWith('====')) return 'dump';
  return /^\[ *\d+\.\d{6}\] /m.test(text) ? 'log' : 'other';
}

/** Better ones first. */
function compare(a: Hypothesis, b: Hypothesis): number {
  return (
    a.penalty - b.penalty ||
    b.evidence - a.evidence ||
    // Of what is the same by all signs, what most machines have: a zone of each kind.
    kinds(b) - kinds(a) ||
    a.places.length - b.places.length
  );
}

function isAsGood(a: Hypothesis, b: Hypothesis): boolean {
  return a.matched === b.matched && a.places.length === b.places.length && a.penalty === b.penalty;
}

function kinds({ layout: { recordSize, consoleSize, ftraceSize, pmsgSize } }: Hypothesis): number {
  return [recordSize, consoleSize, ftraceSize, pmsgSize].filter((size) => size > 0).length;
}

/** How many parity bytes there are: as many as make the parity of the headers, at the end of their zones, come out right. */
function findParity(bytes: Uint8Array, places: readonly ZonePlace[], byteOrder: ByteOrder): number {
  const present = places
    .filter(({ offset }) => {
      const signature = readWord(bytes, offset, byteOrder);
      return signature === SIGNATURE || isFtrace(signature);
    })
    .slice(0, 64);
  // 16 is what ecc=1 means. One byte of parity alone comes out right by chance.
  for (const parity of [16, ...Array.from({ length: MAX_PARITY - 1 }, (_, index) => index + 2)]) {
    // To make a code takes time, and the sum of every word of it is 0: the first root of its generator is 1.
    const candidates = present.filter(({ offset, size }) => {
      if (zoneSpace(size, parity) === undefined) return false;
      return sum(bytes, offset, HEADER_SIZE) === sum(bytes, offset + size - parity, parity);
    });
    if (2 * candidates.length <= present.length) continue;
    const code = reedSolomon(parity);
    const right = candidates.filter(({ offset, size }) =>
      code.matches(bytes, offset, HEADER_SIZE, bytes, offset + size - parity),
    );
    if (2 * right.length > present.length) return parity;
  }
  return 0;
}

/** In the field of the code. */
function sum(bytes: Uint8Array, start: number, length: number): number {
  let value = 0;
  for (let at = start; at < start + length; at++) value ^= bytes[at] as number;
  return value;
}
