/** x^8 + x^4 + x^3 + x^2 + 1, which ramoops asks of lib/reed_solomon. */
const POLYNOMIAL = 0x11d;
/** Nonzero elements of the field, and the length of a codeword that is not shortened. */
const ORDER = 255;

/** Powers of the primitive element, twice over, so that a sum of two logarithms needs no division. */
const exp = new Uint8Array(2 * ORDER);
const log = new Uint8Array(ORDER + 1);
for (let power = 0, value = 1; power < ORDER; power++) {
  exp[power] = value;
  exp[power + ORDER] = value;
  log[value] = power;
  value = value & 0x80 ? (value << 1) ^ POLYNOMIAL : value << 1;
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : at(exp, at(log, a) + at(log, b));
}

function divide(a: number, b: number): number {
  return a === 0 ? 0 : at(exp, at(log, a) + ORDER - at(log, b));
}

/**
 * The Reed-Solomon code of ramoops: bytes, shortened, systematic, the roots of its generator being the powers 0, 1, ... of the
 * primitive element. It takes what lib/reed_solomon/decode_rs.c takes, also of words that are beyond repair.
 */
export class ReedSolomon {
  /** Parity bytes of a codeword. */
  readonly parity: number;
  readonly #words: number;
  /** For each byte that leaves the shift register, what is added to it: its parity bytes as 32-bit words. */
  readonly #table: Uint32Array;
  readonly #register: Uint32Array;

  /** @param parity 1 to 254 */
  constructor(parity: number) {
    this.parity = parity;
    this.#words = Math.ceil(parity / 4);
    this.#register = new Uint32Array(this.#words + 1);
    this.#table = new Uint32Array(256 * this.#words);
    const generator = generatorOf(parity);
    for (let byte = 1; byte < 256; byte++) {
      for (let place = 0; place < parity; place++) {
        const index = byte * this.#words + (place >> 2);
        const value = multiply(byte, at(generator, parity - 1 - place)) << (24 - 8 * (place & 3));
        this.#table[index] = (this.#table[index] as number) | value;
      }
    }
  }

  /** Puts the parity of `length` bytes of data into `target`. */
  encode(data: Uint8Array, start: number, length: number, target: Uint8Array, targetStart: number): void {
    this.#divide(data, start, length);
    for (let place = 0; place < this.parity; place++) target[targetStart + place] = this.#remainder(place);
  }

  /** Whether these are data and their parity, without a wrong byte. */
  matches(data: Uint8Array, start: number, length: number, parity: Uint8Array, parityStart: number): boolean {
    this.#divide(data, start, length);
    for (let place = 0; place < this.parity; place++) {
      if (this.#remainder(place) !== parity[parityStart + place]) return false;
    }
    return true;
  }

  /**
   * Puts right, in place, data followed by their parity.
   *
   * @returns how many bytes were wrong, or -1 when they are too many, and nothing is changed
   */
  correct(word: Uint8Array): number {
    const syndromes = this.#syndromes(word);
    if (syndromes.every((syndrome) => syndrome === 0)) return 0;
    const locator = errorLocator(syndromes);
    const degree = locator.findLastIndex((coefficient) => coefficient !== 0);
    const positions = rootsOf(locator, degree, word.length);
    if (degree === 0 || positions === undefined) return -1;
    const errors = errorValues(syndromes, locator, degree, positions, word.length);
    if (!explains(errors, positions, syndromes, word.length)) return -1;
    for (const [index, position] of positions.entries())
      word[position] = at(word, position) ^ at(errors, index);
    return errors.filter((error) => error !== 0).length;
  }

  /** Leaves in the register what remains of the data, divided by the generator. */
  #divide(data: Uint8Array, start: number, length: number): void {
    if (this.#words === 4) this.#divideFour(data, start, length);
    else this.#divideAny(data, start, length);
  }

  #divideAny(data: Uint8Array, start: number, length: number): void {
    const register = this.#register;
    const table = this.#table;
    const words = this.#words;
    register.fill(0);
    for (let index = start; index < start + length; index++) {
      const row = (at(data, index) ^ ((register[0] as number) >>> 24)) * words;
      for (let word = 0; word < words; word++) {
        const shifted = ((register[word] as number) << 8) | ((register[word + 1] as number) >>> 24);
        register[word] = shifted ^ (table[row + word] as number);
      }
    }
  }

  /** The same for 13 to 16 parity bytes, which is what `ecc=1` means, with the register in registers. */
  #divideFour(data: Uint8Array, start: number, length: number): void {
    const table = this.#table;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let index = start; index < start + length; index++) {
      const row = (at(data, index) ^ (a >>> 24)) << 2;
      a = ((a << 8) | (b >>> 24)) ^ (table[row] as number);
      b = ((b << 8) | (c >>> 24)) ^ (table[row + 1] as number);
      c = ((c << 8) | (d >>> 24)) ^ (table[row + 2] as number);
      d = (d << 8) ^ (table[row + 3] as number);
    }
    this.#register.set([a, b, c, d]);
  }

  #remainder(place: number): number {
    return ((this.#register[place >> 2] as number) >>> (24 - 8 * (place & 3))) & 0xff;
  }

  /** The word as a polynomial, at each root of the generator. */
  #syndromes(word: Uint8Array): Uint8Array {
    const syndromes = new Uint8Array(this.parity);
    for (let root = 0; root < this.parity; root++) {
      let value = 0;
      for (const byte of word) value = byte ^ (value === 0 ? 0 : at(exp, at(log, value) + root));
      syndromes[root] = value;
    }
    return syndromes;
  }
}

const codes = new Map<number, ReedSolomon>();

/** The code with so many parity bytes; made once, for its tables take longer than a small region. */
export function reedSolomon(parity: number): ReedSolomon {
  let code = codes.get(parity);
  if (!code) {
    code = new ReedSolomon(parity);
    codes.set(parity, code);
  }
  return code;
}

function generatorOf(parity: number): Uint8Array {
  const generator = new Uint8Array(parity + 1);
  generator[0] = 1;
  for (let root = 0; root < parity; root++) {
    for (let power = root + 1; power > 0; power--) {
      generator[power] = at(generator, power - 1) ^ multiply(at(generator, power), at(exp, root));
    }
    generator[0] = multiply(at(generator, 0), at(exp, root));
  }
  return generator;
}

/** The shortest recurrence of the syndromes, lowest power first (Berlekamp and Massey). */
function errorLocator(syndromes: Uint8Array): Uint8Array {
  const size = syndromes.length + 1;
  let locator = new Uint8Array(size);
  let previous = new Uint8Array(size);
  locator[0] = 1;
  previous[0] = 1;
  let errors = 0;
  for (let step = 1; step < size; step++) {
    let discrepancy = 0;
    for (let power = 0; power < step; power++) {
      discrepancy ^= multiply(at(locator, power), at(syndromes, step - 1 - power));
    }
    previous.copyWithin(1, 0);
    previous[0] = 0;
    if (discrepancy === 0) continue;
    const next = locator.map((value, power) => value ^ multiply(discrepancy, at(previous, power)));
    if (2 * errors < step) {
      errors = step - errors;
      previous = locator.map((value) => divide(value, discrepancy));
    }
    locator = next;
  }
  return locator;
}

/** The places in a word of that length that a locator names; undefined when they are not as many as its degree. */
function rootsOf(locator: Uint8Array, degree: number, length: number): number[] | undefined {
  const positions: number[] = [];
  for (let position = 0; position < length; position++) {
    // The inverse of this place's locator.
    const inverse = (ORDER - (length - 1 - position)) % ORDER;
    if (evaluate(locator, degree, inverse) === 0) positions.push(position);
  }
  return positions.length === degree ? positions : undefined;
}

/** A polynomial's value at a power of the primitive element. */
function evaluate(polynomial: Uint8Array, degree: number, power: number): number {
  let value = 0;
  for (let index = degree; index >= 0; index--) {
    value = at(polynomial, index) ^ (value === 0 ? 0 : at(exp, at(log, value) + power));
  }
  return value;
}

/** What has to be added at each place (Forney). */
function errorValues(
  syndromes: Uint8Array,
  locator: Uint8Array,
  degree: number,
  positions: readonly number[],
  length: number,
): Uint8Array {
  const evaluator = new Uint8Array(degree);
  for (let power = 0; power < degree; power++) {
    for (let index = 0; index <= power; index++) {
      evaluator[power] = at(evaluator, power) ^ multiply(at(syndromes, power - index), at(locator, index));
    }
  }
  const derivative = locator.map((_, power) =>
    power % 2 === 0 && power < degree ? at(locator, power + 1) : 0,
  );
  return Uint8Array.from(positions, (position) => {
    const exponent = length - 1 - position;
    const inverse = (ORDER - exponent) % ORDER;
    const numerator = multiply(evaluate(evaluator, degree - 1, inverse), at(exp, exponent));
    return divide(numerator, evaluate(derivative, degree, inverse));
  });
}

/** Whether these errors have these syndromes. Where there are too many errors, a locator may name as many that have not. */
function explains(
  errors: Uint8Array,
  positions: readonly number[],
  syndromes: Uint8Array,
  length: number,
): boolean {
  return syndromes.every((syndrome, root) => {
    let value = 0;
    for (const [index, position] of positions.entries()) {
      value ^= multiply(at(errors, index), at(exp, (root * (length - 1 - position)) % ORDER));
    }
    return value === syndrome;
  });
}
