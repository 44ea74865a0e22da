import { close, constants, recv, send, shutdown } from '@vm-tools/linux';
import fc from 'fast-check';
import { DeviceCore } from '../src/device-core.ts';
import { HEADER_BYTES, Operation } from '../src/packets/header.ts';
import { Request } from '../src/vhost-user/messages.ts';
import { u32 } from './front-end.ts';
import {
  ALL_FEATURES,
  type DriverRing,
  FEATURE,
  GuestDriver,
  HOLE,
  INDIRECT,
  REGIONS,
  WRITE,
  writeDescriptor,
} from './guest-driver.ts';

const MIB = 1 << 20;
/** What the device must never write to, for the guest never lets it: the end of the third region. */
const CANARY = { start: 4 * MIB - 4096, end: 4 * MIB };
const PORTS = [80, 81, 0xffff_ffff, 1];
const LISTENED = 80;

/** Addresses that are right, at edges, in the hole, beyond everything. */
const addresses: readonly number[] = [
  MIB + 4096,
  MIB - 10,
  HOLE - 20,
  HOLE,
  HOLE + 5,
  3 * MIB,
  3 * MIB - 1,
  0,
  5 * MIB,
  2 ** 32 - 1,
  2 ** 52,
];
const lengths: readonly number[] = [44, 0, 1, 16, 43, 45, 100, 4140, 65_580, 2 ** 31, 2 ** 32 - 1];

const index = fc.nat({ max: 15 });
const descriptor = fc.record({
  address: fc.nat({ max: addresses.length - 1 }),
  length: fc.nat({ max: lengths.length - 1 }),
  flags: fc.nat({ max: 7 }),
  next: fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 7 }) }, { weight: 1, arbitrary: fc.constant(60_000) }),
});

/** What a guest, its VMM or a program of the host may do; each is played in turn. */
const deed = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('chain' as const),
      isRx: fc.boolean(),
      descriptors: fc.array(descriptor, { minLength: 1, maxLength: 6 }),
      isIndirect: fc.boolean(),
      head: index,
      tableBytes: fc.constantFrom(16, 32, 64, 96, 0, 15, 17, 2 ** 31),
      step: fc.constantFrom(1, 1, 1, 0, 2, 9, 40_000),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('packet' as const),
      operation: fc.nat({ max: 8 }),
      type: fc.constantFrom(1, 1, 1, 1, 2, 0),
      sourceCid: fc.constantFrom(3, 3, 3, 3, 2, 4, 2 ** 33 + 3),
      destinationCid: fc.constantFrom(2, 2, 2, 2, 3, 0, 2 ** 40),
      guestPort: fc.nat({ max: 3 }),
      hostPort: fc.nat({ max: 3 }),
      flags: fc.constantFrom(0, 1, 2, 3, 0xffff_ffff),
      bytes: fc.constantFrom(0, 1, 100, 5000, 70_000),
      excess: fc.constantFrom(0, 0, 0, 0, -1, 1, 2 ** 31),
      bufferSize: fc.constantFrom(262_144, 0, 1, 4096, 0xffff_ffff),
      forwarded: fc.constantFrom(0, 1, 0x7fff_ffff, 0xffff_ffff),
      layout: fc.constantFrom<'apart' | 'together' | { pieces: number[]; indirect: boolean }>(
        'apart',
        'together',
        { pieces: [1, 43], indirect: false },
        { pieces: [20, 30, 5], indirect: true },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('buffers' as const),
      count: fc.integer({ min: 1, max: 6 }),
      bytes: fc.constantFrom(HEADER_BYTES + 4096, HEADER_BYTES, HEADER_BYTES + 1, 43, 60),
      isInPieces: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('connect' as const), guestPort: fc.nat({ max: 3 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('host' as const),
      which: index,
      action: fc.constantFrom<'write' | 'read' | 'end' | 'close'>('write', 'read', 'end', 'close'),
      bytes: fc.constantFrom(1, 5000, 100_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dial' as const), port: fc.nat({ max: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('scribble' as const),
      isRx: fc.boolean(),
      where: fc.constantFrom<'available' | 'used' | 'descriptors'>('available', 'used', 'descriptors'),
      word: fc.nat({ max: 20 }),
      value: fc.constantFrom(0, 1, 2, 7, 0x7fff, 0xffff),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('memory' as const),
      regions: fc.subarray([0, 1, 2], { minLength: 1 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('ring' as const),
      isRx: fc.boolean(),
      action: fc.constantFrom<'stop' | 'start' | 'disable' | 'enable'>('stop', 'start', 'disable', 'enable'),
    }),
  },
);

export const story = fc.record({
  hasEventIndex: fc.boolean(),
  deeds: fc.array(deed, { minLength: 1, maxLength: 14 }),
});

type Deed = typeof deed extends fc.Arbitrary<infer D> ? D : never;
type Story = typeof story extends fc.Arbitrary<infer S> ? S : never;

/** A device, and whoever may do it harm. Stories are played one after the other; each begins with a VMM that connects. */
export class HostileGuest implements Disposable {
  readonly #core: DeviceCore;
  #guest!: GuestDriver;
  #programs: number[] = [];
  /** Why rings were stopped, and why VMMs were hung up on. */
  readonly reasons: string[] = [];
  #isAttached = false;

  /** @param completionMs how long the device may keep packets of the guest that it has taken */
  constructor(completionMs: number) {
    this.#core = new DeviceCore(
      { guestCid: 3, maxConnections: 16, connectTimeoutMs: 60_000, completionMs },
      (event, ...args) => {
        if (event === 'accepted' || event === 'connected') this.#programs.push(args[1] as number);
        else if (event === 'ringFailed') this.reasons.push(args[1] as string);
        else if (event === 'detached') {
          this.#isAttached = false;
          if (args[0] !== undefined) this.reasons.push(args[0] as string);
        }
      },
    );
    this.#core.listen(LISTENED);
  }

  /** Plays it, and then sees whether the device still serves a guest that behaves. @throws {Error} when it does not */
  async play({ hasEventIndex, deeds }: Story): Promise<void> {
    const features = hasEventIndex ? ALL_FEATURES : ALL_FEATURES & ~FEATURE.eventIndex;
    this.#guest = new GuestDriver({ features, ringSize: 8, poll: () => this.#core.poll() });
    try {
      this.#isAttached = true;
      this.#core.attach(this.#guest.frontEnd.deviceEnd);
      this.#guest.start();
      this.#guest.bytes.fill(0x5a, CANARY.start, CANARY.end);
      for (const each of deeds) {
        await told();
        if (!this.#isAttached) break;
        this.#do(each);
      }
      if (this.#guest.bytes.subarray(CANARY.start, CANARY.end).some((byte) => byte !== 0x5a))
        throw new Error('the device has written where the guest lets it not');
      await this.#behave();
    } finally {
      this.#guest[Symbol.dispose]();
      this.#core.poll();
      await told();
      for (const fd of this.#programs.splice(0)) close(fd);
    }
    if (this.#core.connections !== 0)
      throw new Error(`${this.#core.connections} connections have outlived the VMM`);
  }

  #do(each: Deed): void {
    const guest = this.#guest;
    try {
      if (each.kind === 'chain') this.#chain(each);
      else if (each.kind === 'packet') this.#packet(each);
      else if (each.kind === 'buffers') {
        guest.offerBuffers(each.count, each.bytes, each.isInPieces ? { pieces: [10, 34, 1] } : 'together');
        guest.kick(guest.rx);
      } else if (each.kind === 'connect') {
        const guestPort = PORTS[each.guestPort] as number;
        guest.send({ operation: Operation.request, guestPort, hostPort: LISTENED });
      } else if (each.kind === 'host') this.#host(each);
      else if (each.kind === 'dial') this.#core.connect(1, PORTS[each.port] as number, 60_000);
      else if (each.kind === 'scribble') {
        const ring = each.isRx ? guest.rx : guest.tx;
        new DataView(guest.memory).setUint16(ring.at[each.where] + 2 * each.word, each.value, true);
        guest.kick(ring);
      } else if (each.kind === 'memory') {
        const regions = each.regions.map((region) => REGIONS[region] as (typeof REGIONS)[number]);
        guest.frontEnd.send({ request: Request.setMemTable, ...guest.memoryTable(regions) });
        this.#core.poll();
      } else this.#ring(each);
    } catch (error) {
      // The guest has run out of descriptors, by its own doing.
      if (!(error instanceof Error && error.message === 'the ring is full')) throw error;
    }
  }

  #chain(each: Extract<Deed, { kind: 'chain' }>): void {
    const guest = this.#guest;
    const ring: DriverRing = each.isRx ? guest.rx : guest.tx;
    const table = each.isIndirect ? guest.allocate(16 * 6) : 0;
    const view = each.isIndirect ? new DataView(guest.memory) : ring.descriptors;
    for (const [position, { address, length, flags, next }] of each.descriptors.entries()) {
      const writable = each.isRx && flags < 6 ? flags | WRITE : flags;
      const at = table + 16 * position;
      writeDescriptor(view, at, addresses[address] as number, lengths[length] as number, writable, next);
    }
    if (each.isIndirect) ring.setDescriptor(each.head % ring.size, table, each.tableBytes, INDIRECT, 0);
    const available = ring.available[1] as number;
    ring.available[2 + (available % ring.size)] = each.head;
    ring.available[1] = (available + each.step) & 0xffff;
    guest.kick(ring);
  }

  #packet(each: Extract<Deed, { kind: 'packet' }>): void {
    const { operation, type, sourceCid, destinationCid, flags, bufferSize, forwarded, layout } = each;
    this.#guest.send(
      {
        ...{ operation, type, sourceCid, destinationCid, flags, bufferSize, forwarded },
        guestPort: PORTS[each.guestPort] as number,
        hostPort: PORTS[each.hostPort] as number,
        data: new Uint8Array(each.bytes),
        length: (each.bytes + each.excess) >>> 0,
      },
      layout,
    );
  }

  #host({ which, action, bytes }: Extract<Deed, { kind: 'host' }>): void {
    const fd = this.#programs[which % Math.max(1, this.#programs.length)];
    if (fd === undefined) return;
    const buffer = new Uint8Array(bytes);
    if (action === 'write') send(fd, buffer, 0, bytes, constants.MSG_DONTWAIT);
    else if (action === 'read') recv(fd, buffer, 0, bytes, constants.MSG_DONTWAIT);
    else if (action === 'end') shutdown(fd, constants.SHUT_WR);
    else {
      this.#programs = this.#programs.filter((each) => each !== fd);
      close(fd);
    }
    this.#core.poll();
  }

  #ring({ isRx, action }: Extract<Deed, { kind: 'ring' }>): void {
    const guest = this.#guest;
    const [number, ring] = isRx ? ([0, guest.rx] as const) : ([1, guest.tx] as const);
    if (action === 'stop') guest.stopRing(number);
    else if (action === 'start') guest.startRing(number, ring);
    else
      guest.frontEnd.send({
        request: Request.setVringEnable,
        payload: u32(number, action === 'enable' ? 1 : 0),
      });
    this.#core.poll();
  }

  /** What every guest may expect, after a reset. */
  async #behave(): Promise<void> {
    await told();
    if (!this.#isAttached) return;
    const guest = this.#guest;
    guest.stopRing(0);
    guest.stopRing(1);
    if (this.#core.connections !== 0) throw new Error('connections have outlived the reset of the guest');
    await told();
    for (const fd of this.#programs.splice(0)) close(fd);
    guest.rx.reset();
    guest.tx.reset();
    guest.frontEnd.send({ request: Request.setMemTable, ...guest.memoryTable() });
    guest.startRings();
    guest.offerBuffers(4);
    guest.connect(5, LISTENED);
    await told();
    const [fd = -1] = this.#programs;
    guest.send({ operation: Operation.data, guestPort: 5, hostPort: LISTENED, data: Buffer.from('ping') });
    const buffer = Buffer.alloc(8);
    if (recv(fd, buffer, 0, 8, constants.MSG_DONTWAIT) !== 4) throw new Error('data of the guest are lost');
    send(fd, Buffer.from('pong'), 0, 4, 0);
    this.#core.poll();
    const [packet] = guest.receive();
    if (packet?.data.toString() !== 'pong') throw new Error('data for the guest are lost');
  }

  [Symbol.dispose](): void {
    this.#core.close();
  }
}

/** When what the core tells by microtasks has been told. */
async function told(): Promise<void> {
  await Promise.resolve();
  await Promise.resolve();
}
