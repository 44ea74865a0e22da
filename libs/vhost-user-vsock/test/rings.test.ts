import { describe, expect, test } from 'vitest';
import { HEADER_BYTES, Operation } from '../src/packets/header.ts';
import { CoreUnderTest } from './core-under-test.ts';
import { ALL_FEATURES, FEATURE, HOLE, INDIRECT, NEXT, WRITE, writeDescriptor } from './guest-driver.ts';

const MIB = 1 << 20;
const address = { guestPort: 1000, hostPort: 80 };

interface Descriptor {
  readonly at?: number;
  readonly address?: number;
  readonly length?: number;
  readonly flags?: number;
  readonly next?: number;
}

/** Writes descriptors as they are and offers the first, or `head`. */
function offer(under: CoreUnderTest, ring: 'rx' | 'tx', descriptors: readonly Descriptor[], head = 0): void {
  const it = under.guest[ring];
  for (const [
    position,
    { at = position, address = MIB, length = 100, flags = 0, next = 0 },
  ] of descriptors.entries())
    it.setDescriptor(at, address, length, flags, next);
  it.publish(head);
  under.guest.kick(it);
}

/** Indirect table at 1.5 MiB. */
function offerIndirect(under: CoreUnderTest, bytes: number, descriptors: readonly Descriptor[]): void {
  const table = MIB + MIB / 2;
  for (const [position, { address = MIB, length = 100, flags = 0, next = 0 }] of descriptors.entries())
    writeDescriptor(new DataView(under.guest.memory), table + 16 * position, address, length, flags, next);
  offer(under, 'tx', [{ address: table, length: bytes, flags: INDIRECT }]);
}

type Violation = readonly [what: string, act: (under: CoreUnderTest) => void, why: RegExp];

const violations: readonly Violation[] = [
  ['a head beyond the ring', (u) => offer(u, 'tx', [], 16), /descriptor 16 of 16 is named/],
  ['a next beyond the ring', (u) => offer(u, 'tx', [{ flags: NEXT, next: 999 }]), /descriptor 999 of 16/],
  [
    'a loop',
    (u) =>
      offer(u, 'tx', [
        { length: 1, flags: NEXT, next: 1 },
        { length: 1, flags: NEXT },
      ]),
    /the chain at descriptor 0 is a loop/,
  ],
  [
    'a buffer in no region',
    (u) => offer(u, 'tx', [{ address: HOLE }]),
    /100 bytes at 2097152 is not in its memory/,
  ],
  [
    'a buffer that ends in no region',
    (u) => offer(u, 'tx', [{ address: HOLE - 99 }]),
    /is not in its memory/,
  ],
  ['a buffer behind all regions', (u) => offer(u, 'tx', [{ address: 4 * MIB - 99 }]), /is not in its memory/],
  ['an address beyond 2^53', (u) => offer(u, 'tx', [{ address: 2 ** 63 }]), /is not in its memory/],
  ['a length of 2^32 - 1', (u) => offer(u, 'tx', [{ length: 2 ** 32 - 1 }]), /is not in its memory/],
  [
    'an indirect table that goes on',
    (u) => offer(u, 'tx', [{ flags: INDIRECT | NEXT, length: 16 }]),
    /indirect, but not the last/,
  ],
  ['an indirect table of 15 bytes', (u) => offerIndirect(u, 15, []), /an indirect table has 15 bytes/],
  ['an empty indirect table', (u) => offerIndirect(u, 0, []), /an indirect table has 0 bytes/],
  [
    'an indirect table outside',
    (u) => offerIndirect(u, 16 * 40_000, []),
    /640000 bytes at 1572864 is not in/,
  ],
  ['an indirect table with a loop', (u) => offerIndirect(u, 16, [{ flags: NEXT }]), /has a loop/],
  [
    'an indirect table with a next outside',
    (u) => offerIndirect(u, 16, [{ flags: NEXT, next: 1 }]),
    /descriptor 1 of an indirect table of 1/,
  ],
  [
    'an indirect table in another',
    (u) => offerIndirect(u, 16, [{ flags: INDIRECT }]),
    /holds an indirect descriptor/,
  ],
  [
    'a buffer to read behind one to write',
    (u) => offer(u, 'tx', [{ flags: NEXT | WRITE, next: 1 }, {}]),
    /to read comes after one to write/,
  ],
  [
    'a packet without a whole header',
    (u) => offer(u, 'tx', [{ length: HEADER_BYTES - 1 }]),
    /has 43 bytes, its header alone has 44/,
  ],
  ['a packet without anything', (u) => offer(u, 'tx', [{ length: 0 }]), /has 0 bytes/],
  [
    'a packet to write to',
    (u) => offer(u, 'tx', [{ flags: NEXT, next: 1 }, { flags: WRITE }]),
    /has a buffer to write to/,
  ],
  [
    'a packet that says it is longer',
    (u) => u.guest.send({ ...address, operation: Operation.data, data: Buffer.alloc(5), length: 6 }),
    /says that it has 6 bytes, and has 5/,
  ],
  [
    'an index that jumps',
    (u) => {
      u.guest.tx.available[1] = 17;
      u.guest.kick(u.guest.tx);
    },
    /available index went from 0 to 17/,
  ],
];

describe('a tx ring with', () => {
  test.each(violations)('%s is stopped, and it is said why', async (_, act, why) => {
    using under = new CoreUnderTest();
    const fd = await under.connect(7, 80).then((each) => {
      under.guest.stopRing(1);
      under.guest.tx.reset();
      under.guest.startRing(1, under.guest.tx);
      under.core.poll();
      return each;
    });
    act(under);
    expect(await under.events('ringFailed')).toEqual([['tx', expect.stringMatching(why)]]);
    expect(under.guest.tx.hasFailed()).toBe(true);
    expect(under.read(fd).end).toBe(true);
    // It is not looked at any more, until the VMM starts it anew.
    under.guest.kick(under.guest.tx);
    expect(await under.events('ringFailed')).toHaveLength(1);
    under.guest.stopRing(1);
    under.guest.tx.reset();
    under.guest.startRing(1, under.guest.tx);
    under.core.poll();
    await under.connect(8, 80);
  });
});

describe('an rx ring with', () => {
  test.each<Violation>([
    ['a buffer to read', (u) => offer(u, 'rx', [{ length: 100 }]), /is not to be written to/],
    [
      'a buffer too small for a header',
      (u) => offer(u, 'rx', [{ length: 43, flags: WRITE }]),
      /has 43 bytes, a header has 44/,
    ],
    ['a buffer outside', (u) => offer(u, 'rx', [{ address: HOLE, flags: WRITE }]), /is not in its memory/],
  ])('%s is stopped, and it is said why', async (_, act, why) => {
    using under = new CoreUnderTest();
    act(under);
    under.guest.send({ ...address, operation: Operation.request });
    expect(await under.events('ringFailed')).toEqual([['rx', expect.stringMatching(why)]]);
    expect(under.guest.rx.hasFailed()).toBe(true);
  });

  test('a buffer that holds a header alone takes packets, but no data', async () => {
    using under = new CoreUnderTest();
    under.core.listen(80);
    under.guest.offerBuffers(2, HEADER_BYTES);
    under.guest.connect(1000, 80);
    const fd = under.keep((await under.events('accepted'))[0]?.[1] as number);
    under.write(fd, 'x');
    expect(await under.events('ringFailed')).toEqual([['rx', expect.stringMatching(/no room for data/)]]);
  });
});

test('a buffer may lie across regions that touch', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(3, 0);
  header.writeUInt32LE(2, 8);
  header.writeUInt32LE(1000, 16);
  header.writeUInt32LE(80, 20);
  header.writeUInt32LE(100, 24);
  header.writeUInt16LE(1, 28);
  header.writeUInt16LE(Operation.data, 30);
  under.guest.bytes.set(header, MIB - 80);
  under.guest.bytes.fill(0x41, MIB - 80 + HEADER_BYTES, MIB - 80 + HEADER_BYTES + 100);
  offer(under, 'tx', [{ at: 9, address: MIB - 80, length: HEADER_BYTES + 100 }], 9);
  expect(under.read(fd).data).toEqual(Buffer.alloc(100, 0x41));
});

describe.each([
  ['with EVENT_IDX', ALL_FEATURES],
  ['without', ALL_FEATURES & ~FEATURE.eventIndex],
])('notifications %s', (_, features) => {
  const hasEventIndex = (features & FEATURE.eventIndex) !== 0n;

  test('the guest is interrupted for what it waits for, and not otherwise', async () => {
    using under = new CoreUnderTest({ features });
    const fd = await under.connect();
    const { rx } = under.guest;
    rx.wasInterrupted();
    under.guest.offerBuffers(8);
    const mute = () => {
      if (hasEventIndex) rx.available[2 + rx.size] = (rx.usedSeen + 0x8000) & 0xffff;
      else rx.available[0] = 1;
    };
    mute();
    under.write(fd, 'a');
    expect(under.guest.receive()).toHaveLength(1);
    expect(rx.wasInterrupted()).toBe(false);
    if (hasEventIndex) rx.available[2 + rx.size] = rx.usedSeen;
    else rx.available[0] = 0;
    under.write(fd, 'b');
    expect(under.guest.receive()).toHaveLength(1);
    expect(rx.wasInterrupted()).toBe(true);
  });

  test('the guest is asked to tell of more packets when the device goes to sleep', async () => {
    using under = new CoreUnderTest({ features });
    await under.connect();
    const { tx } = under.guest;
    if (hasEventIndex) expect(tx.used.getUint16(4 + 8 * tx.size, true)).toBe(tx.available[1]);
    else expect(tx.used.getUint16(0, true)).toBe(0);
  });

  test('indices wrap', async () => {
    using under = new CoreUnderTest({ features, ringSize: 4 });
    const fd = await under.connect();
    let sent = 0;
    for (let round = 0; round < 70_000; round++) {
      under.guest.queue({ ...address, operation: Operation.data, data: Buffer.of(round & 0xff) }, 'together');
      if (round % 2 === 0) continue;
      under.guest.kick(under.guest.tx);
      sent += under.guest.tx.takeUsed().length;
      if (round % 1000 !== 999) continue;
      under.read(fd);
      under.guest.receive();
      under.guest.offerBuffers(under.guest.rx.free.length);
    }
    expect(sent).toBe(70_000);
    expect(await under.events('ringFailed')).toEqual([]);
  });
});
