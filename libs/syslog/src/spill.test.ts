import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import type { Batch } from './batch.ts';
import { Spill, SpillInUseError } from './spill.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-spill-'));
  return () => rmSync(folder, { recursive: true });
});

function batch(number: number, text = `batch ${number}`, senders = [number]): Batch {
  return { stream: 's', number: BigInt(number), records: number, senders, bytes: Buffer.from(text) };
}

/** All that is in it, taken out. */
function drain(spill: Spill): number[] {
  const numbers: number[] = [];
  for (let next = spill.peek(); next; next = spill.peek()) {
    numbers.push(Number(next.number));
    spill.shift();
  }
  return numbers;
}

const files = (): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.spill'))
    .sort();
const file = (index = 0): string => join(folder, files()[index] as string);

test('batches come out as they went in, also in the next process', () => {
  {
    using spill = new Spill(folder);
    expect(spill.append(batch(1, 'grüße', [7, -1]))).toBe(true);
    expect(spill.append(batch(2))).toBe(true);
    expect(spill.peek()).toEqual(batch(1, 'grüße', [7, -1]));
    expect(spill.senders()).toEqual(
      new Map([
        [7, 1],
        [-1, 1],
        [2, 1],
      ]),
    );
    expect(spill.peek()?.number).toBe(1n);
  }
  {
    using spill = new Spill(folder);
    expect(spill.recovered).toEqual({ batches: 2, records: 3, damagedBytes: 0 });
    expect(spill.peek()).toEqual(batch(1, 'grüße', [7, -1]));
    spill.shift();
  }
  using spill = new Spill(folder);
  expect([spill.batches, spill.records]).toEqual([1, 2]);
  expect(drain(spill)).toEqual([2]);
  expect([spill.batches, spill.records, spill.bytes, files()]).toEqual([0, 0, 0, []]);
});

test('nobody else can read them, and a folder has one user', () => {
  const nested = join(folder, 'a/b');
  using spill = new Spill(nested);
  spill.append(batch(1));
  expect(statSync(nested).mode & 0o777).toBe(0o700);
  expect(
    statSync(join(nested, readdirSync(nested).find((name) => name.endsWith('.spill')) as string)).mode &
      0o777,
  ).toBe(0o600);
  expect(() => new Spill(nested)).toThrow(SpillInUseError);
});

test('it takes no more than it may, and has room again a file at a time', () => {
  using spill = new Spill(folder, { maxBytes: 10_000, segmentBytes: 1000 });
  let count = 0;
  while (spill.append(batch(count + 1, 'x'.repeat(400)))) count++;
  expect(spill.bytes).toBeLessThanOrEqual(10_000);
  expect(spill.bytes).toBe(files().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0));
  expect(count).toBeGreaterThan(15);
  expect(files().length).toBeGreaterThan(8);
  for (let each = 0; each < 4; each++) {
    spill.peek();
    spill.shift();
  }
  expect(spill.append(batch(count + 1, 'x'.repeat(400)))).toBe(true);
  expect(drain(spill)).toEqual(Array.from({ length: count - 3 }, (_, index) => index + 5));
});

test('what was under way goes before the rest', () => {
  {
    using spill = new Spill(folder);
    spill.append(batch(2));
    expect(spill.peek()?.number).toBe(2n);
    expect(spill.prepend(batch(1))).toBe(true);
    expect(spill.peek()?.number).toBe(1n);
  }
  using spill = new Spill(folder);
  expect(drain(spill)).toEqual([1, 2]);
});

test('a batch that was written in part only is dropped and counted', () => {
  {
    using spill = new Spill(folder);
    for (const number of [1, 2, 3]) spill.append(batch(number));
  }
  truncateSync(file(), statSync(file()).size - 3);
  {
    using spill = new Spill(folder);
    expect(spill.recovered).toMatchObject({ batches: 2, records: 3 });
    expect(spill.recovered.damagedBytes).toBeGreaterThan(0);
    // What comes next is not lost behind the damage.
    expect(spill.append(batch(4))).toBe(true);
  }
  using spill = new Spill(folder);
  expect(spill.recovered.damagedBytes).toBe(0);
  expect(drain(spill)).toEqual([1, 2, 4]);
});

test('files that are none of its own making cost what is in them, and nothing else', () => {
  {
    using spill = new Spill(folder);
    spill.append(batch(1));
  }
  writeFileSync(join(folder, '1000000002.spill'), 'no such thing');
  writeFileSync(join(folder, '1000000003.spill'), '');
  appendFileSync(file(), 'rubbish');
  using spill = new Spill(folder);
  expect(spill.recovered).toEqual({
    batches: 1,
    records: 1,
    damagedBytes: 'no such thing'.length + 'rubbish'.length,
  });
  expect(drain(spill)).toEqual([1]);
});

test('what is damaged while it is in use is passed over and counted', () => {
  using spill = new Spill(folder, { segmentBytes: 1 });
  for (const number of [1, 2, 3]) spill.append(batch(number));
  const bytes = readFileSync(file(1));
  bytes[bytes.length - 1] = 0xff;
  writeFileSync(file(1), bytes);
  expect(drain(spill)).toEqual([1, 3]);
  expect(spill.damagedBytes).toBe(bytes.length - 16);
});

test('wherever a file is cut or changed, what comes out went in, in its order', () => {
  const whole = mkdtempSync(join(folder, 'whole-'));
  const ends: number[] = [];
  {
    using spill = new Spill(whole);
    for (let number = 1; number <= 20; number++) {
      spill.append(batch(number, 'x'.repeat(number)));
      ends.push(spill.bytes);
    }
  }
  const name = readdirSync(whole).find((each) => each.endsWith('.spill')) as string;
  const bytes = readFileSync(join(whole, name));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.option(fc.integer({ min: 1, max: 255 })), (at, change) => {
      const damaged = change === null ? bytes.subarray(0, at) : Buffer.from(bytes);
      if (change !== null) damaged[at] = (damaged[at] as number) ^ change;
      const copy = mkdtempSync(join(folder, 'copy-'));
      writeFileSync(join(copy, name), damaged);
      {
        using spill = new Spill(copy);
        const numbers = drain(spill);
        expect(numbers).toHaveLength(spill.recovered.batches);
        // Those that stand whole before the damage.
        const before = ends.filter((end) => end <= at).map((_, index) => index + 1);
        // In the header it is the name of the format, or how far the file has been read.
        if (at >= 16) expect(numbers).toEqual(before);
        else if (change === null || at < 8) expect(numbers).toEqual([]);
        else expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
      }
      rmSync(copy, { recursive: true });
    }),
    { numRuns: 200 },
  );
});
