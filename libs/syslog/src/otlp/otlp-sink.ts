import { Aggregator, type AggregatorCounters, type AggregatorOptions } from '../aggregator.ts';
import { OtlpExporter, type OtlpExporterOptions } from './otlp-exporter.ts';
import { type OtlpFormatOptions, otlpFormat } from './otlp-format.ts';

export interface OtlpSinkOptions
  extends OtlpExporterOptions,
    OtlpFormatOptions,
    Omit<AggregatorOptions, 'format' | 'send'> {}

export interface OtlpSinkCounters extends AggregatorCounters {
  /** Records of batches that arrived which the receiver did not take (`partial_success`). They are lost. */
  readonly rejected: number;
}

/**
 * Sends records as OpenTelemetry logs: OTLP/HTTP with Protocol Buffers. It is an {@link Aggregator}: batches wait while the receiver is away, and each
 * is sent until it has arrived. What the receiver refuses for good (any status but 200, 429, 502, 503 and 504) is lost, and told by the event `lost`.
 */
export class OtlpSink extends Aggregator {
  readonly #exporter: OtlpExporter;
  #rejected = 0;

  constructor(options: OtlpSinkOptions) {
    const exporter = new OtlpExporter(options, (records, why) => this.#reject(records, why));
    super({
      flushBytes: 64 << 10,
      ...options,
      format: otlpFormat(options),
      send: (batch, signal) => exporter.send(batch, signal),
    });
    this.#exporter = exporter;
  }

  override get counters(): OtlpSinkCounters {
    const { written, lost, ...others } = super.counters;
    const rejected = this.#rejected;
    return { ...others, written: written - rejected, lost: lost + rejected, rejected };
  }

  override async close(): Promise<void> {
    await super.close();
    this.#exporter.close();
  }

  #reject(records: number, why: string): void {
    this.#rejected += records;
    this.emit('lost', records, `were rejected by the receiver: ${why}`);
  }
}
