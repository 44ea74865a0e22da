import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, mmap, munmap, read, reserve, write } from '@vm-tools/linux';
import { HEADER_BYTES, Header, Operation } from '../src/packets/header.ts';
import { Request } from '../src/vhost-user/messages.ts';
import { FrontEnd, u32, u64 } from './front-end.ts';

const ONE = new Uint8Array(BigUint64Array.of(1n).buffer);
const MIB = 1 << 20;
/** Where the VMM sees the guest's memory. */
const USER_BASE = 0x7f00_0000_0000;

/** Guest memory: two regions that touch, a hole, a third one; in the file they lie elsewhere. */
export const REGIONS = [
  { guestAddress: 0, size: MIB, offset: 2 * MIB },
  { guestAddress: MIB, size: MIB, offset: 0 },
  { guestAddress: 3 * MIB, size: MIB, offset: MIB },
] as const;
export const HOLE = 2 * MIB;
const FILE_BYTES = 3 * MIB;
const SPAN = 4 * MIB;

export const FEATURE = {
  version1: 1n << 32n,
  indirect: 1n << 28n,
  eventIndex: 1n << 29n,
  protocolFeatures: 1n << 30n,
} as const;
export const ALL_FEATURES =
  FEATURE.version1 | FEATURE.indirect | FEATURE.eventIndex | FEATURE.protocolFeatures;

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

/** A buffer of a chain. */
export interface Piece {
  readonly address: number;
  readonly length: number;
}

export interface Packet {
  readonly operation: number;
  readonly guestPort: number;
  readonly hostPort: number;
  readonly data?: Uint8Array;
  readonly flags?: number;
  readonly type?: number;
  readonly sourceCid?: number;
  readonly destinationCid?: number;
  /** As the header says, if not the length of `data`. */
  readonly length?: number;
  readonly bufferSize?: number;
  readonly forwarded?: number;
}

/** How a packet is laid out: header and data apart (Linux 6.1), in one buffer (newer), or in pieces of these sizes. */
export type Layout =
  | 'apart'
  | 'together'
  | { readonly pieces: readonly number[]; readonly indirect?: boolean };

export interface DriverOptions {
  readonly guestCid?: number;
  readonly features?: bigint;
  readonly ringSize?: number;
  /** Makes the device do what there is to do. */
  readonly poll: () => void;
}

/** One ring of the guest's, with a bump allocator for the descriptors in the order in which they come back. */
export class DriverRing {
  readonly descriptors: DataView;
  readonly available: Uint16Array;
  readonly used: DataView;
  readonly at: { readonly descriptors: number; readonly available: number; readonly used: number };
  readonly size: number;
  readonly kick: number;
  readonly call: number;
  readonly error: number;
  /** Free descriptors. */
  readonly free: number[];
  /** Descriptors of a chain, by its head. */
  readonly chains = new Map<number, number[]>();
  usedSeen = 0;

  constructor(memory: ArrayBuffer, base: number, size: number, frontEnd: FrontEnd) {
    this.size = size;
    this.at = { descriptors: base, available: base + 16 * size, used: base + 20 * size + 8 };
    this.descriptors = new DataView(memory, base, 16 * size);
    this.available = new Uint16Array(memory, this.at.available, 3 + size);
    this.used = new DataView(memory, this.at.used, 6 + 8 * size);
    this.free = Array.from({ length: size }, (_, index) => index);
    [this.kick, this.call, this.error] = [frontEnd.eventfd(), frontEnd.eventfd(), frontEnd.eventfd()];
  }

  setDescriptor(index: number, address: number, length: number, flags: number, next: number): void {
    writeDescriptor(this.descriptors, 16 * index, address, length, flags, next);
  }

  /** Makes a chain available. */
  publish(head: number): void {
    const index = this.available[1] as number;
    this.available[2 + (index % this.size)] = head;
    this.available[1] = (index + 1) & 0xffff;
  }

  /** Chains that the device has given back since the last time, with how much was written. */
  takeUsed(): { head: number; written: number }[] {
    const taken = [];
    for (
      const end = this.used.getUint16(2, true);
      this.usedSeen !== end;
      this.usedSeen = (this.usedSeen + 1) & 0xffff
    ) {
      const at = 4 + 8 * (this.usedSeen % this.size);
      const head = this.used.getUint32(at, true);
      taken.push({ head, written: this.used.getUint32(at + 4, true) });
      this.free.push(...(this.chains.get(head) ?? []));
      this.chains.delete(head);
    }
    return taken;
  }

  /** Whether the device has interrupted since the last time. */
  wasInterrupted(): boolean {
    return read(this.call, new Uint8Array(8), 0, 8) === 8;
  }

  hasFailed(): boolean {
    return read(this.error, new Uint8Array(8), 0, 8) === 8;
  }

  /** Forgets all chains, as a driver that begins anew. */
  reset(): void {
    this.chains.clear();
    this.free.length = 0;
    this.free.push(...Array.from({ length: this.size }, (_, index) => index));
    this.available.fill(0);
    for (let at = 0; at < 6 + 8 * this.size; at++) this.used.setUint8(at, 0);
    this.usedSeen = 0;
  }
}

export function writeDescriptor(
  view: DataView,
  at: number,
  address: number,
  length: number,
  flags: number,
  next: number,
): void {
  view.setBigUint64(at, BigInt(address), true);
  view.setUint32(at + 8, length, true);
  view.setUint16(at + 12, flags, true);
  view.setUint16(at + 14, next, true);
}

/**
 * A guest with a vsock driver and its VMM, played by a test: both write to memory that the device has mapped too, and
 * nothing happens but what the test does.
 */
export class GuestDriver implements Disposable {
  readonly frontEnd = new FrontEnd();
  readonly memory: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly rx: DriverRing;
  readonly tx: DriverRing;
  readonly guestCid: number;
  readonly #file: number;
  readonly #features: bigint;
  readonly #poll: () => void;
  /** Where the next buffer goes: they are never used again, but for the whole area. */
  #next: number;
  #isOpen = true;

  constructor({ guestCid = 3, features = ALL_FEATURES, ringSize = 16, poll }: DriverOptions) {
    this.guestCid = guestCid;
    this.#features = features;
    this.#poll = poll;
    const folder = mkdtempSync(join(tmpdir(), 'vm-tools-guest-memory-'));
    this.#file = openSync(join(folder, 'memory'), 'wx+', 0o600);
    rmSync(folder, { recursive: true });
    ftruncateSync(this.#file, FILE_BYTES);
    this.memory = reserve(SPAN);
    const protection = constants.PROT_READ | constants.PROT_WRITE;
    for (const { guestAddress, size, offset } of REGIONS)
      mmap(this.memory, guestAddress, size, { fd: this.#file, offset, protection });
    this.bytes = new Uint8Array(this.memory);
    this.rx = new DriverRing(this.memory, 0x1000, ringSize, this.frontEnd);
    this.tx = new DriverRing(this.memory, 0x80000, ringSize, this.frontEnd);
    this.#next = this.#firstBuffer;
  }

  get #firstBuffer(): number {
    return MIB;
  }

  /** The descriptor of the memory's file, and the payload of SET_MEM_TABLE for these regions of it. */
  memoryTable(regions: readonly (typeof REGIONS)[number][] = REGIONS): {
    payload: Uint8Array;
    descriptors: number[];
  } {
    const payload = Buffer.concat([
      u32(regions.length, 0),
      ...regions.map(({ guestAddress, size, offset }) =>
        u64(guestAddress, size, USER_BASE + guestAddress, offset),
      ),
    ]);
    return { payload, descriptors: regions.map(() => this.#file) };
  }

  /** One region as ADD_MEM_REG and REM_MEM_REG have it. */
  memoryRegion({ guestAddress, size, offset }: (typeof REGIONS)[number]): {
    payload: Uint8Array;
    descriptors: number[];
  } {
    return {
      payload: u64(0, guestAddress, size, USER_BASE + guestAddress, offset),
      descriptors: [this.#file],
    };
  }

  /** What QEMU says when the guest's driver starts; the device does it at once. */
  start(): void {
    this.begin();
    if (this.frontEnd.receive()?.readBigUInt64LE(12) !== 0n)
      throw new Error('the memory table was not accepted');
  }

  /** `start`, with the answer to the memory table yet to come. */
  begin(): void {
    const { frontEnd } = this;
    frontEnd.send({ request: Request.setOwner });
    frontEnd.send({ request: Request.setProtocolFeatures, payload: u64((1 << 0) | (1 << 3) | (1 << 9)) });
    frontEnd.send({ request: Request.setFeatures, payload: u64(this.#features) });
    frontEnd.send({ request: Request.setMemTable, ...this.memoryTable(), needsReply: true });
    this.startRings();
  }

  startRings(): void {
    for (const [index, ring] of [this.rx, this.tx].entries()) this.startRing(index, ring);
    this.#poll();
  }

  startRing(index: number, ring: DriverRing): void {
    const { frontEnd } = this;
    const user = (address: number) => USER_BASE + address;
    const { descriptors, used, available } = ring.at;
    const request = (number: number, payload: Uint8Array, fds: number[] = []) =>
      frontEnd.send({ request: number, payload, descriptors: fds });
    request(Request.setVringNum, u32(index, ring.size));
    request(Request.setVringBase, u32(index, 0));
    request(
      Request.setVringAddr,
      Buffer.concat([u32(index, 0), u64(user(descriptors), user(used), user(available), 0)]),
    );
    request(Request.setVringErr, u64(index), [ring.error]);
    request(Request.setVringCall, u64(index), [ring.call]);
    request(Request.setVringKick, u64(index), [ring.kick]);
    request(Request.setVringEnable, u32(index, 1));
  }

  /** Stops a ring, as QEMU does when the guest is reset. @returns the index at which it stopped */
  stopRing(index: number): number {
    return this.frontEnd.ask(Request.getVringBase, u32(index, 0), this.#poll).readUInt32LE(4);
  }

  /** Tells the device of a ring, and lets it work. */
  kick(ring: DriverRing): void {
    write(ring.kick, ONE, 0, 8);
    this.#poll();
  }

  /** A place for so many bytes, in the two regions that touch or in the third. */
  allocate(length: number): number {
    if (this.#next < HOLE && this.#next + length > HOLE) this.#next = 3 * MIB;
    if (this.#next + length > SPAN) this.#next = this.#firstBuffer;
    const address = this.#next;
    this.#next += length;
    return address;
  }

  /** Makes a chain of these pieces available. */
  offer(ring: DriverRing, pieces: readonly Piece[], flags: number, indirect = false): number {
    const indices = ring.free.splice(0, indirect ? 1 : pieces.length);
    const [head] = indices;
    if (head === undefined || (!indirect && indices.length < pieces.length))
      throw new Error('the ring is full');
    ring.chains.set(head, indices);
    if (indirect) {
      const table = this.allocate(16 * pieces.length);
      const view = new DataView(this.memory);
      for (const [index, { address, length }] of pieces.entries()) {
        const isLast = index === pieces.length - 1;
        writeDescriptor(view, table + 16 * index, address, length, flags | (isLast ? 0 : NEXT), index + 1);
      }
      ring.setDescriptor(head, table, 16 * pieces.length, INDIRECT, 0);
    } else {
      for (const [position, { address, length }] of pieces.entries()) {
        const next = indices[position + 1];
        ring.setDescriptor(
          indices[position] as number,
          address,
          length,
          flags | (next === undefined ? 0 : NEXT),
          next ?? 0,
        );
      }
    }
    ring.publish(head);
    return head;
  }

  /** Offers buffers to receive in, of so many bytes with the header, each in pieces if that is said. */
  offerBuffers(count: number, length = 4096 + HEADER_BYTES, layout: Layout = 'together'): void {
    for (let index = 0; index < count; index++) {
      const pieces = this.#lay(new Uint8Array(length), layout);
      this.offer(this.rx, pieces, WRITE, typeof layout === 'object' && layout.indirect);
    }
  }

  /** Puts a packet into the tx ring. */
  queue(packet: Packet, layout: Layout = 'apart'): void {
    const header = new Header();
    const { data = new Uint8Array(), operation, guestPort, hostPort } = packet;
    header.sourceCid = packet.sourceCid ?? this.guestCid;
    header.destinationCid = packet.destinationCid ?? 2;
    header.sourcePort = guestPort;
    header.destinationPort = hostPort;
    header.length = packet.length ?? data.length;
    header.type = packet.type ?? 1;
    header.operation = operation;
    header.flags = packet.flags ?? 0;
    header.bufferSize = packet.bufferSize ?? 256 << 10;
    header.forwarded = packet.forwarded ?? 0;
    const bytes = new Uint8Array(HEADER_BYTES + data.length);
    header.write(new DataView(bytes.buffer), 0);
    bytes.set(data, HEADER_BYTES);
    this.offer(this.tx, this.#lay(bytes, layout), 0, typeof layout === 'object' && layout.indirect);
  }

  /** `queue`, and the device takes it. */
  send(packet: Packet, layout: Layout = 'apart'): void {
    this.queue(packet, layout);
    this.kick(this.tx);
    this.tx.takeUsed();
  }

  #lay(bytes: Uint8Array, layout: Layout): Piece[] {
    let sizes: number[];
    if (layout === 'together') sizes = [bytes.length];
    else if (layout === 'apart')
      sizes = bytes.length > HEADER_BYTES ? [HEADER_BYTES, bytes.length - HEADER_BYTES] : [HEADER_BYTES];
    else {
      sizes = [];
      let left = bytes.length;
      for (let index = 0; left > 0; index++) {
        const size = Math.min(left, layout.pieces[index] ?? left);
        sizes.push(size);
        left -= size;
      }
    }
    let done = 0;
    return sizes.map((length) => {
      const address = this.allocate(length);
      this.bytes.set(bytes.subarray(done, done + length), address);
      done += length;
      return { address, length };
    });
  }

  /** The packets that have come, in their order; their buffers are not offered again. */
  receive(): (Header & { readonly data: Buffer })[] {
    const view = new DataView(this.memory);
    return this.rx.takeUsed().map(({ head, written }) => {
      const whole = Buffer.concat(this.#piecesOf(head, view)).subarray(0, written);
      const header = new Header();
      header.read(new DataView(whole.buffer, whole.byteOffset, HEADER_BYTES), 0);
      return Object.assign(header, { data: whole.subarray(HEADER_BYTES) });
    });
  }

  #piecesOf(head: number, view: DataView): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    const isIndirect = (this.rx.descriptors.getUint16(16 * head + 12, true) & INDIRECT) !== 0;
    const table = isIndirect
      ? new DataView(this.memory, Number(this.rx.descriptors.getBigUint64(16 * head, true)))
      : this.rx.descriptors;
    for (let index = isIndirect ? 0 : head; ; ) {
      const address = Number(table.getBigUint64(16 * index, true));
      const length = table.getUint32(16 * index + 8, true);
      pieces.push(new Uint8Array(view.buffer, address, length));
      if ((table.getUint16(16 * index + 12, true) & NEXT) === 0) return pieces;
      index = table.getUint16(16 * index + 14, true);
    }
  }

  /** A connection of the guest to a port of the host that someone listens on. */
  connect(guestPort: number, hostPort: number, bufferSize?: number): void {
    this.send({
      operation: Operation.request,
      guestPort,
      hostPort,
      ...(bufferSize === undefined ? {} : { bufferSize }),
    });
    const [answer] = this.receive();
    if (answer?.operation !== Operation.response)
      throw new Error(`not a response: ${JSON.stringify(answer)}`);
  }

  /** Hangs up, as a VMM that ends. Twice does no harm. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.frontEnd[Symbol.dispose]();
    closeSync(this.#file);
    munmap(this.memory);
  }
}
