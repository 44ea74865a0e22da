import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConsoleEvent, ConsoleFollower } from './console-follower.ts';

const SIZE = 524;
const CAPACITY = SIZE - 12;

/** The console zone of a kernel, which can be looked at in the middle of a write. */
class LiveZone {
  readonly bytes = new Uint8Array(SIZE);
  readonly #view = new DataView(this.bytes.buffer);

  boot(): void {
    this.#view.setUint32(0, 0x43474244, true);
    this.#view.setUint32(4, 0, true);
    this.#view.setUint32(8, 0, true);
  }

  /** Calls back where the kernel could be interrupted (persistent_ram_write()). */
  write(text: string, interrupt: (step: 'size' | 'start' | 'half' | 'done') => void = () => {}): void {
    const bytes = Buffer.from(text);
    const start = this.#view.getUint32(4, true);
    this.#view.setUint32(8, Math.min(CAPACITY, this.#view.getUint32(8, true) + bytes.length), true);
    interrupt('size');
    this.#view.setUint32(4, (start + bytes.length) % CAPACITY, true);
    interrupt('start');
    for (const [index, byte] of bytes.entries()) {
      if (index === bytes.length >> 1) interrupt('half');
      this.bytes[12 + ((start + index) % CAPACITY)] = byte;
    }
    interrupt('done');
  }
}

const textOf = (events: readonly ConsoleEvent[]) =>
  events.map((event) => (event.kind === 'data' ? Buffer.from(event.bytes).toString() : '')).join('');
const kindsOf = (events: readonly ConsoleEvent[]) =>
  events.flatMap((event) => (event.kind === 'data' ? [] : [event.kind]));
/** No two lines are alike, as with the time in front of them. */
const line = (number: number, length = 20) =>
  `${String(number).padStart(6)} ${String((number + 1) * 7919)
    .repeat(12)
    .slice(0, length)}\n`;

function watched(): { zone: LiveZone; follower: ConsoleFollower; events: ConsoleEvent[]; look: () => void } {
  const zone = new LiveZone();
  const follower = new ConsoleFollower({ size: SIZE });
  const events: ConsoleEvent[] = [];
  zone.boot();
  return { zone, follower, events, look: () => events.push(...follower.update(zone.bytes)) };
}

describe('following a console', () => {
  it('gives every byte once, whenever it is looked at, also in the middle of writes', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            length: fc.nat(60),
            looks: fc.subarray(['size', 'start', 'half', 'done'] as const, { maxLength: 1 }),
          }),
          { maxLength: 80 },
        ),
        (writes) => {
          const { zone, follower, events, look } = watched();
          let all = '';
          let unseen = 0;
          for (const [number, { length, looks }] of writes.entries()) {
            const text = line(number, length);
            all += text;
            unseen += text.length;
            zone.write(text, (step) => {
              // At usual rates: before half of the ring has been written anew.
              const isDue = step === 'done' && unseen > CAPACITY / 3;
              if (!isDue && !looks.includes(step as never)) return;
              look();
              if (step === 'done') unseen = 0;
            });
          }
          for (let times = 0; times < 3; times++) look();
          events.push(...follower.finish());
          expect(kindsOf(events)).toEqual([]);
          expect(textOf(events)).toBe(all);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives every byte once, though the ring goes on between the header and the copy', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ length: fc.nat(40), begins: fc.boolean() }), { minLength: 30, maxLength: 120 }),
        (writes) => {
          const { zone, follower, events, look } = watched();
          let all = '';
          let unseen = 0;
          let header: Uint8Array | undefined;
          for (const [number, { length, begins }] of writes.entries()) {
            const text = line(number, length);
            all += text;
            unseen += text.length;
            zone.write(text);
            // As when we are not let run between the two.
            if (begins) header ??= zone.bytes.slice(0, 12);
            if (unseen <= CAPACITY / 4) continue;
            const copied = zone.bytes.slice();
            copied.set(header ?? []);
            events.push(...follower.update(copied, zone.bytes));
            header = undefined;
            unseen = 0;
          }
          for (let times = 0; times < 3; times++) look();
          expect(kindsOf(events)).toEqual([]);
          expect(textOf(events)).toBe(all);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not take what was written during the copy for a ring that has been overtaken', () => {
    const { zone, follower, events, look } = watched();
    for (let number = 0; number < 40; number++) {
      zone.write(line(number));
      look();
    }
    look();
    const before = textOf(events);
    const header = zone.bytes.slice(0, 12);
    zone.write(line(40));
    const copied = zone.bytes.slice();
    copied.set(header);
    expect(follower.update(copied, zone.bytes)).toEqual([]);
    for (let times = 0; times < 2; times++) look();
    expect(textOf(events)).toBe(before + line(40));
  });

  it('waits with a boot that happens during the copy', () => {
    const { zone, follower, events, look } = watched();
    zone.write(line(1));
    const before = zone.bytes.slice();
    zone.boot();
    expect(follower.update(before, zone.bytes)).toEqual([]);
    zone.write(line(2));
    for (let times = 0; times < 2; times++) look();
    expect(textOf(events)).toBe(line(2));
  });

  it('says when it lost something, and gives whole lines, each once, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60), { minLength: 1, maxLength: 30 }), (bursts) => {
        const { zone, follower, events, look } = watched();
        let number = 0;
        look();
        for (const burst of bursts) {
          for (let count = 0; count < burst; count++) zone.write(line(number++));
          look();
        }
        for (let times = 0; times < 3; times++) look();
        events.push(...follower.finish());
        const lines = textOf(events).split('\n').slice(0, -1);
        const given = lines.map((text) => Number(text.slice(0, 6)));
        for (const text of lines) expect(`${text}\n`).toBe(line(Number(text.slice(0, 6))));
        expect(given).toEqual([...new Set(given)].sort((a, b) => a - b));
        if (!kindsOf(events).includes('lost'))
          expect(given).toEqual(Array.from({ length: number }, (_, index) => index));
      }),
      { numRuns: 200 },
    );
  });

  it('says so also when exactly as much was written as fits', () => {
    const { zone, events, look } = watched();
    zone.write('a'.repeat(100));
    look();
    zone.write(`${'b'.repeat(CAPACITY - 1)}\n`);
    look();
    expect(kindsOf(events)).toEqual(['lost']);
    expect(textOf(events)).toBe('a'.repeat(100));
  });

  it('says when another boot has begun', () => {
    const { zone, events, look } = watched();
    zone.write(line(1));
    look();
    look();
    zone.boot();
    zone.write(line(2, 5));
    look();
    zone.write(line(3));
    look();
    look();
    expect(
      events.map((event) => (event.kind === 'data' ? Buffer.from(event.bytes).toString() : event.kind)),
    ).toEqual([line(1), 'restart', line(2, 5), line(3)]);
  });

  it('sees another boot also when that has written more already', () => {
    const { zone, events, look } = watched();
    zone.write(line(1));
    look();
    look();
    zone.boot();
    for (let number = 2; number < 6; number++) zone.write(line(number));
    look();
    look();
    expect(kindsOf(events)).toEqual(['restart']);
    expect(textOf(events)).toBe([1, 2, 3, 4, 5].map((number) => line(number)).join(''));
  });

  it('says when it had passed on what was not written yet', () => {
    const { zone, events, look } = watched();
    zone.write(line(0));
    zone.write(line(1), (step) => {
      // The machine stands still in the middle of a write.
      if (step === 'half') for (let times = 0; times < 3; times++) look();
    });
    look();
    expect(events.at(-1)).toEqual({ kind: 'lost', revised: true });
  });

  it('can leave out what was there before', () => {
    const zone = new LiveZone();
    zone.boot();
    zone.write(line(1));
    const follower = new ConsoleFollower({ size: SIZE, backlog: false });
    const events = follower.update(zone.bytes);
    zone.write(line(2));
    for (let times = 0; times < 2; times++) events.push(...follower.update(zone.bytes));
    expect(textOf(events)).toBe(line(2));
  });

  it('waits for a zone that no kernel has made ready, or that is not all there', () => {
    const follower = new ConsoleFollower({ size: SIZE });
    expect(follower.update(new Uint8Array(SIZE))).toEqual([]);
    expect(follower.update(new Uint8Array(5))).toEqual([]);
    expect(follower.finish()).toEqual([]);
    expect(() => new ConsoleFollower({ size: 12 })).toThrow(
      'a console zone of 12 bytes has no room for data',
    );
  });

  it('takes bytes as they come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 500, maxLength: SIZE }), { maxLength: 12 }),
        (looks) => {
          const follower = new ConsoleFollower({ size: SIZE });
          for (const bytes of looks) {
            bytes.set([0x44, 0x42, 0x47, 0x43]);
            for (const at of [5, 9]) bytes[at] = (bytes[at] as number) & 3;
            bytes.fill(0, 6, 8).fill(0, 10, 12);
            for (const event of follower.update(bytes)) {
              if (event.kind === 'data') expect(event.bytes.length).toBeLessThanOrEqual(CAPACITY);
            }
          }
          follower.finish();
        },
      ),
    );
  });
});
