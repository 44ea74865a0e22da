import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ByteFlow, OnePass } from './one-pass.ts';
import type { Ask, Reading } from './reading.ts';

const size = 1000;
const bytes = Uint8Array.from({ length: size }, (_, index) => index % 251);
const ask = (offset: number, length: number): Ask => ({ offset, size: length });
const noTurn = () => undefined;

/** Flows of bytes that count what was read and what was passed over. */
class CountedFlow implements ByteFlow {
  read_ = 0;
  skipped = 0;
  #at = 0;

  read(into: Uint8Array): number {
    const part = bytes.subarray(this.#at, this.#at + into.length);
    into.set(part);
    this.#at += part.length;
    this.read_ += part.length;
    return part.length;
  }

  async skip(wanted: number): Promise<number> {
    const skipped = Math.min(wanted, size - this.#at);
    this.#at += skipped;
    this.skipped += skipped;
    return skipped;
  }
}

function* one(wanted: Ask): Reading<Uint8Array> {
  return yield wanted;
}

async function take(asks: readonly Ask[], retained: readonly Ask[] = []): Promise<Uint8Array[]> {
  const pass = new OnePass(new CountedFlow());
  const results: Uint8Array[] = [];
  for (const wanted of retained) pass.retain(wanted);
  for (const [index, wanted] of asks.entries()) {
    pass.start(one(wanted), (result) => {
      results[index] = result;
    });
  }
  await pass.run(noTurn);
  return results;
}

test('everyone gets what was asked for, whatever overlaps', async () => {
  const arbitrary = fc.record({ offset: fc.nat({ max: size + 50 }), size: fc.nat({ max: 300 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(arbitrary), fc.array(arbitrary, { maxLength: 3 }), async (asks, retained) => {
      const results = await take(asks, retained);
      expect(results).toEqual(asks.map(({ offset, size }) => bytes.subarray(offset, offset + size)));
    }),
    { seed: 4 },
  );
});

test('what nobody asked for is not read', async () => {
  const flow = new CountedFlow();
  const pass = new OnePass(flow);
  pass.start(one(ask(100, 10)), () => undefined);
  pass.start(one(ask(105, 10)), () => undefined);
  await pass.run(noTurn);
  expect([flow.read_, flow.skipped, pass.position, pass.ended]).toEqual([15, 100, 115, false]);
  await pass.drain(noTurn);
  expect([flow.read_, flow.skipped, pass.position, pass.ended]).toEqual([15, 985, 1000, true]);
});

describe('a reader that asks again', () => {
  const follow = async (asks: readonly Ask[], retained: readonly Ask[] = []) => {
    const pass = new OnePass(new CountedFlow());
    const results: Uint8Array[] = [];
    for (const wanted of retained) pass.retain(wanted);
    pass.start(
      (function* (): Reading<void> {
        for (const wanted of asks) results.push(yield wanted);
      })(),
      () => undefined,
    );
    await pass.run(noTurn);
    return results.map((result) => [...result]);
  };

  test('gets what is still to come', async () => {
    expect(await follow([ask(10, 2), ask(500, 3)])).toEqual([
      [10, 11],
      [249, 250, 0],
    ]);
  });

  test('gets nothing of what is past, unless it was kept', async () => {
    expect(await follow([ask(500, 1), ask(10, 2)])).toEqual([[249], []]);
    expect(await follow([ask(500, 1), ask(10, 2)], [ask(0, 100)])).toEqual([[249], [10, 11]]);
    expect(await follow([ask(500, 1), ask(98, 5)], [ask(0, 100)])).toEqual([[249], [98, 99]]);
  });

  test('gets what there is, at the end', async () => {
    expect(await follow([ask(998, 10), ask(2000, 1)])).toEqual([[...bytes.subarray(998)], []]);
  });
});
