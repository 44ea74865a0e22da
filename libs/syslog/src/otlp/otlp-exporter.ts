import { once } from 'node:events';
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Batch, BatchRefusedError } from '../batch.ts';
import { fieldsOf, LENGTH, message, tag } from './protobuf.ts';

export interface OtlpExporterOptions {
  /** Where logs are taken, with its path: `http://127.0.0.1:4318/v1/logs`. Throws a TypeError for what is no such URL. */
  readonly url: string;
  /** Such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sends batches compressed. Default false. */
  readonly gzip?: boolean;
  /** Authorities, a certificate of one's own: for `https:`. */
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'servername'>;
  /** How long a request may take, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** What all records are of, by OpenTelemetry's names: `host.name`, `service.name`. */
  readonly resource?: Readonly<Record<string, string>>;
}

/** A batch has not been taken; it will be sent again. */
export class OtlpError extends Error {
  override readonly name = 'OtlpError';
  readonly code = 'ERR_OTLP';
}

/** Of 429 and 5xx these may be better later (OTLP specification, "Retryable Response Codes"). */
const RETRYABLE = new Set([429, 502, 503, 504]);
/** Of an answer that is looked at. */
const MAX_ANSWER = 64 << 10;
/** No server makes us wait longer. */
const MAX_WAIT_MS = 3_600_000;
const SCOPE = '@vm-tools/syslog';

// ExportLogsServiceRequest > ResourceLogs > ScopeLogs > LogRecord; the records of a batch are written already.
const RESOURCE_LOGS = tag(1, LENGTH);
const RESOURCE = tag(1, LENGTH);
const SCOPE_LOGS = tag(2, LENGTH);
const INSTRUMENTATION_SCOPE = tag(1, LENGTH);
const NAME = tag(1, LENGTH);
const ATTRIBUTES = tag(1, LENGTH);
const KEY = tag(1, LENGTH);
const VALUE = tag(2, LENGTH);
const STRING_VALUE = tag(1, LENGTH);

const compress = promisify(gzip);

/** Posts batches of `otlpFormat` to a receiver of OTLP/HTTP. */
export class OtlpExporter {
  readonly #options: OtlpExporterOptions;
  readonly #url: URL;
  /** For messages: without the user and password that a URL may have. */
  readonly #name: string;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #resource: Buffer;
  readonly #scope = message(INSTRUMENTATION_SCOPE, text(NAME, SCOPE));
  readonly #onRejected: (records: number, why: string) => void;
  /** The receiver wants to be left alone until then. */
  #notBefore = 0;

  /** @param onRejected told when a batch has arrived of which the receiver did not take all */
  constructor(options: OtlpExporterOptions, onRejected: (records: number, why: string) => void) {
    this.#options = options;
    this.#onRejected = onRejected;
    this.#url = new URL(options.url);
    if (!/^https?:$/.test(this.#url.protocol))
      throw new TypeError(
        `${options.url}: logs are sent to http: or https:, such as http://127.0.0.1:4318/v1/logs`,
      );
    this.#name = `${this.#url.origin}${this.#url.pathname}`;
    this.#agent =
      this.#url.protocol === 'https:'
        ? new HttpsAgent({ ...options.tls, keepAlive: true, maxSockets: 1 })
        : new HttpAgent({ keepAlive: true, maxSockets: 1 });
    const attributes = Object.entries(options.resource ?? {}).map(([key, value]) =>
      message(ATTRIBUTES, text(KEY, key), message(VALUE, text(STRING_VALUE, value))),
    );
    this.#resource = message(RESOURCE, ...attributes);
  }

  /**
   * @throws {OtlpError} the receiver is away, or asked for it later
   * @throws {BatchRefusedError} it will never take the batch
   */
  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const wait = this.#notBefore - Date.now();
    if (wait > 0) await sleep(wait, undefined, { signal });
    const { status, retryAfter, body } = await this.#post(batch, signal);
    if (status === 200) {
      this.#tellRejected(body, batch.records);
      return;
    }
    const failure = `${this.#name} answered ${status}`;
    if (!RETRYABLE.has(status)) throw new BatchRefusedError(failure);
    const now = Date.now();
    this.#notBefore = now + waitOf(retryAfter, now);
    throw new OtlpError(failure);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #post(batch: Batch, signal: AbortSignal): Promise<Answer> {
    const { headers, gzip: isCompressed = false, timeoutMs = 10_000 } = this.#options;
    const logs = message(RESOURCE_LOGS, this.#resource, message(SCOPE_LOGS, this.#scope, batch.bytes));
    const content = isCompressed ? await compress(logs) : logs;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const request = (this.#url.protocol === 'https:' ? requestHttps : requestHttp)(this.#url, {
        method: 'POST',
        agent: this.#agent,
        signal: AbortSignal.any([signal, timeout]),
        headers: {
          'user-agent': SCOPE,
          ...headers,
          'content-type': 'application/x-protobuf',
          'content-length': content.length,
          ...(isCompressed && { 'content-encoding': 'gzip' }),
        },
      });
      // What happens behind the head of the answer is told by the answer.
      request.on('error', () => undefined);
      request.end(content);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      const body = await bodyOf(response);
      return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body };
    } catch (error) {
      const why = timeout.aborted ? `within ${timeoutMs} ms` : `(${(error as Error).message})`;
      throw new OtlpError(`${this.#name} does not answer ${why}`, { cause: error });
    }
  }

  /** What a receiver did not take of a batch it will not take later. */
  #tellRejected(body: Uint8Array, most: number): void {
    const { records, why } = rejectedBy(body);
    if (records > 0) this.#onRejected(Math.min(records, most), why);
  }
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: Uint8Array;
}

/** All of it is read, so that the connection can be used again; the beginning is kept. */
async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (length < MAX_ANSWER) chunks.push(chunk);
    length += chunk.length;
  }
  return Buffer.concat(chunks);
}

/** `partial_success` (1) of an ExportLogsServiceResponse: `rejected_log_records` (1) and `error_message` (2). */
export function rejectedBy(response: Uint8Array): { records: number; why: string } {
  let records = 0;
  let why = '';
  for (const field of fieldsOf(response)) {
    if (field.number !== 1) continue;
    for (const { number, value, bytes } of fieldsOf(field.bytes)) {
      if (number === 1) records = value;
      else if (number === 2) why = Buffer.from(bytes).toString();
    }
  }
  return { records, why };
}

/** `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. Without one that can be read it is 0. */
export function waitOf(retryAfter: string | undefined, now: number): number {
  if (retryAfter === undefined) return 0;
  const wait = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - now;
  return wait > 0 ? Math.min(wait, MAX_WAIT_MS) : 0;
}

function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value));
}
