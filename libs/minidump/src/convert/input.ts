import type { Ask, ReadAt, Reading } from '../core/reading.ts';
import { runReading } from '../core/reading.ts';

/** A core as it is read: {@link OnePass} while it flows by, {@link AnywhereInput} where it lies. */
export interface CoreInput {
  /** Whether it can be read anywhere, again and again. */
  readonly seekable: boolean;
  /** How far it has been read; in the end, its size. */
  readonly position: number;
  start<T>(reading: Reading<T>, done: (result: T) => void): void;
  retain(ask: Ask): void;
  run(onTurn: () => void): Promise<void>;
  drain(onTurn: () => void): Promise<void>;
}

/** A core that can be read anywhere. */
export class AnywhereInput implements CoreInput {
  readonly seekable = true;
  /** Its size. */
  readonly position: number;
  readonly #readAt: ReadAt;

  constructor(readAt: ReadAt, size: number) {
    this.#readAt = readAt;
    this.position = size;
  }

  start<T>(reading: Reading<T>, done: (result: T) => void): void {
    done(runReading(reading, this.#readAt));
  }

  retain(): void {
    // Whatever is asked for can be read when it is asked for.
  }

  async run(onTurn: () => void): Promise<void> {
    onTurn();
  }

  async drain(onTurn: () => void): Promise<void> {
    onTurn();
  }
}
