import type { Compression } from '../compression/decompress.ts';
import type { FtraceEntry, FtraceFormat } from '../ftrace.ts';
import {
  BLOCK_SIZE,
  HEADER_SIZE,
  parityBytes,
  placeZones,
  type RamoopsLayout,
  type ZoneKind,
  type ZonePlace,
  type ZoneSpace,
  zoneSpace,
} from '../layout.ts';
import { PstoreError } from '../pstore-error.ts';
import { type ReedSolomon, reedSolomon } from '../reed-solomon.ts';
import { readWord, SIGNATURE } from '../zone.ts';
import { compress } from './compress.ts';

/** A dump of the kernel's log. */
export interface Dump {
  /** Default `Panic`. */
  readonly reason?: string;
  /** Default: one more than that of the dump before. */
  readonly count?: number;
  /** Default 1. */
  readonly part?: number;
  /** Default 0, as before the kernel knows the time. */
  readonly seconds?: number | bigint;
  readonly microseconds?: number;
  /** What follows the first line. */
  readonly log: string | Uint8Array;
  /** Default `none`. */
  readonly compression?: Compression | 'none';
}

export interface RamoopsWriterOptions {
  /** What is in that memory already; default zeros. It is written to. */
  readonly region?: Uint8Array;
  /** Of the kernel, for ftrace zones: major << 16 | minor << 8 | sublevel; default that of 6.1.0. */
  readonly versionCode?: number;
  readonly ftrace?: FtraceFormat;
}

const encoder = new TextEncoder();

/** Writes a region as the kernel does (fs/pstore/ram.c and ram_core.c), for tests. */
export class RamoopsWriter {
  readonly region: Uint8Array;
  readonly #options: RamoopsWriterOptions;
  readonly #places: readonly ZonePlace[];
  readonly #code: ReedSolomon | undefined;
  readonly #layout: RamoopsLayout;
  #nextDump = 0;
  #dumps = 0;

  /**
   * Makes the region ready, as a boot does: what has no signature is emptied, and so are console and pmsg; dumps and ftrace stay.
   *
   * @throws {PstoreError} ERR_LAYOUT; ERR_RECORD when there is neither a region nor its size
   */
  constructor(layout: RamoopsLayout, options: RamoopsWriterOptions = {}) {
    const size = options.region?.length ?? layout.memSize;
    if (size === undefined) throw new PstoreError('ERR_RECORD', 'give memSize, or a region');
    this.region = options.region ?? new Uint8Array(size);
    this.#options = options;
    this.#layout = layout;
    this.#places = placeZones(layout, size);
    const parity = parityBytes(layout.ecc);
    this.#code = parity > 0 ? reedSolomon(parity) : undefined;
    for (const place of this.#places) this.#prepare(place);
  }

  /**
   * Into the zone after that of the last dump; the log is cut off where the zone ends.
   *
   * @throws {PstoreError} ERR_RECORD when there are no zones for dumps
   */
  dump(dump: Dump): void {
    const zones = this.#places.filter(({ kind }) => kind === 'dmesg');
    const place = zones[this.#nextDump % Math.max(1, zones.length)];
    if (!place) throw new PstoreError('ERR_RECORD', 'the layout has no zones for dumps');
    this.#nextDump++;
    this.#dumps = dump.count ?? this.#dumps + 1;
    const { reason = 'Panic', part = 1, seconds = 0, microseconds = 0, compression = 'none' } = dump;
    const head = encoder.encode(`${reason}#${this.#dumps} Part${part}\n`);
    const plain = joined(head, bytesOf(dump.log));
    const body = compression === 'none' ? plain : compress(compression, plain);
    const type = compression === 'none' ? 'D' : 'C';
    const header = encoder.encode(`====${seconds}.${String(microseconds).padStart(6, '0')}-${type}\n`);
    this.#setWord(place, 4, 0);
    this.#setWord(place, 8, 0);
    this.#write(place, header);
    const { capacity } = this.#spaceOf(place);
    this.#write(place, body.subarray(0, Math.max(0, capacity - header.length)));
  }

  /** @throws {PstoreError} ERR_RECORD when the layout has no such zone; so do the next two */
  console(text: string | Uint8Array): void {
    this.#write(this.#placeOf('console'), bytesOf(text));
  }

  pmsg(text: string | Uint8Array): void {
    this.#write(this.#placeOf('pmsg'), bytesOf(text));
  }

  /** Into the zone of the entry's CPU, or the only one. */
  trace(entry: FtraceEntry): void {
    const { ftraceZones = 1 } = this.#layout;
    this.#write(this.#placeOf('ftrace', ftraceZones > 1 ? entry.cpu : 0), this.#encode(entry));
  }

  #encode({ cpu, stamp, address, caller }: FtraceEntry): Uint8Array {
    const {
      wordSize = 8,
      byteOrder = this.#layout.byteOrder ?? 'little',
      cpuIn = 'stamp',
    } = this.#options.ftrace ?? {};
    const isLittle = byteOrder === 'little';
    const bytes = new Uint8Array(2 * wordSize + 8);
    const view = new DataView(bytes.buffer);
    const address0 = cpuIn === 'stamp' ? address : address | BigInt(cpu);
    for (const [index, word] of [address0, caller].entries()) {
      if (wordSize === 8) view.setBigUint64(8 * index, word, isLittle);
      else view.setUint32(4 * index, Number(word), isLittle);
    }
    view.setBigUint64(2 * wordSize, cpuIn === 'stamp' ? (stamp << 8n) | BigInt(cpu) : stamp, isLittle);
    return bytes;
  }

  #prepare(place: ZonePlace): void {
    const signature =
      place.kind === 'ftrace' ? SIGNATURE ^ (this.#options.versionCode ?? 0x060100) : SIGNATURE;
    const isNew = readWord(this.region, place.offset, this.#layout.byteOrder ?? 'little') !== signature >>> 0;
    if (isNew || place.kind === 'console' || place.kind === 'pmsg') {
      this.#setWord(place, 0, signature);
      this.#setWord(place, 4, 0);
      this.#setWord(place, 8, 0);
    }
    this.#protectHeader(place);
  }

  /** persistent_ram_write(): the newest bytes stay, the head moves first. */
  #write(place: ZonePlace, all: Uint8Array): void {
    const { capacity } = this.#spaceOf(place);
    const bytes = all.subarray(Math.max(0, all.length - capacity));
    const start = this.#word(place, 4);
    this.#setWord(place, 8, Math.min(capacity, this.#word(place, 8) + bytes.length));
    this.#setWord(place, 4, (start + bytes.length) % capacity);
    const first = Math.min(bytes.length, capacity - start);
    this.#store(place, start, bytes.subarray(0, first));
    this.#store(place, 0, bytes.subarray(first));
    this.#protectHeader(place);
  }

  #store(place: ZonePlace, start: number, bytes: Uint8Array): void {
    const data = place.offset + HEADER_SIZE;
    this.region.set(bytes, data + start);
    if (!this.#code) return;
    const { capacity, blockParity } = this.#spaceOf(place);
    // A write of nothing renews its block as well, as the kernel's does.
    let block = start - (start % BLOCK_SIZE);
    do {
      const parity = place.offset + blockParity + (block / BLOCK_SIZE) * this.#code.parity;
      this.#code.encode(
        this.region,
        data + block,
        Math.min(BLOCK_SIZE, capacity - block),
        this.region,
        parity,
      );
      block += BLOCK_SIZE;
    } while (block < start + bytes.length);
  }

  #protectHeader(place: ZonePlace): void {
    const parity = place.offset + this.#spaceOf(place).headerParity;
    this.#code?.encode(this.region, place.offset, HEADER_SIZE, this.region, parity);
  }

  #placeOf(kind: ZoneKind, index = 0): ZonePlace {
    const place = this.#places.find((each) => each.kind === kind && each.index === index);
    if (!place) throw new PstoreError('ERR_RECORD', `the layout has no ${kind} zone ${index}`);
    return place;
  }

  #spaceOf({ size }: ZonePlace): ZoneSpace {
    return zoneSpace(size, this.#layout.ecc) as ZoneSpace;
  }

  #word(place: ZonePlace, offset: number): number {
    return readWord(this.region, place.offset + offset, this.#layout.byteOrder ?? 'little');
  }

  #setWord(place: ZonePlace, offset: number, value: number): void {
    const bytes = [value, value >>> 8, value >>> 16, value >>> 24];
    if (this.#layout.byteOrder === 'big') bytes.reverse();
    this.region.set(bytes, place.offset + offset);
  }
}

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? encoder.encode(text) : text;
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
