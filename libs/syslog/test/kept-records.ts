import type { LogRecord, RecordTaker } from '../src/index.ts';

/** A sink that keeps what it takes, as long as it is open. */
export class KeptRecords implements RecordTaker {
  readonly records: LogRecord[] = [];
  #room: PromiseWithResolvers<void> | undefined;

  write(record: LogRecord): boolean {
    if (this.#room) return false;
    this.records.push(record.keep());
    return true;
  }

  async ready(): Promise<void> {
    await this.#room?.promise;
  }

  /** Is full from now on. */
  block(): void {
    this.#room ??= Promise.withResolvers();
  }

  open(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  get messages(): string[] {
    return this.records.map(({ message }) => message);
  }
}
