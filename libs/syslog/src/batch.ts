/** Records that travel together, under a number by which a receiver knows them again. */
export interface Batch {
  /** Who numbers: random, new with each aggregator. */
  readonly stream: string;
  /** From 1 on, without gaps, within a stream. A batch that is sent again has the number, and the bytes, that it had before. */
  readonly number: bigint;
  /** How many records it has. */
  readonly records: number;
  /** The records as the format wrote them, one behind the other. */
  readonly bytes: Uint8Array;
  /** Of whom they are, by the aggregator's `senderOf`; each once. */
  readonly senders: readonly number[];
}

/** What a receiver throws that will never take a batch, so that it is not sent again: its records are lost. */
export class BatchRefusedError extends Error {
  override readonly name = 'BatchRefusedError';
  readonly code = 'ERR_BATCH_REFUSED';
}
