/** A stretch of input: bytes as they are, and then a copy of bytes before. */
export interface Stretch {
  readonly literals: Uint8Array;
  /** Bytes back, and how many; 0 of them at the end of the input. */
  readonly distance: number;
  readonly length: number;
}

const SHORTEST = 4;

/** Cuts data into literals and copies, greedily. The last `tail` bytes are always literals. */
export function* findMatches(
  data: Uint8Array,
  { maxDistance, tail = 0 }: { maxDistance: number; tail?: number },
): Generator<Stretch> {
  const seen = new Map<number, number>();
  const end = data.length - tail;
  let literalStart = 0;
  for (let at = 0; at + SHORTEST <= end; ) {
    const [a = 0, b = 0, c = 0, d = 0] = data.subarray(at, at + SHORTEST);
    const key = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    const before = seen.get(key);
    seen.set(key, at);
    if (before === undefined || at - before > maxDistance) {
      at++;
      continue;
    }
    let length = SHORTEST;
    while (at + length < end && data[before + length] === data[at + length]) length++;
    yield { literals: data.subarray(literalStart, at), distance: at - before, length };
    at += length;
    literalStart = at;
  }
  yield { literals: data.subarray(literalStart), distance: 0, length: 0 };
}
