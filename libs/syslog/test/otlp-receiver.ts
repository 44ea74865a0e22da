import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A message of OpenTelemetry's published .proto files, as protobufjs has compiled them for OpenTelemetry's own exporters. */
interface Message {
  decode(bytes: Uint8Array): object;
  encode(message: object): { finish(): Uint8Array };
  verify(message: object): string | null;
  toObject(message: object, options: object): object;
}

const published = createRequire(import.meta.url)(
  '@opentelemetry/otlp-transformer/build/src/generated/root.js',
) as {
  opentelemetry: {
    proto: {
      collector: { logs: { v1: { ExportLogsServiceRequest: Message; ExportLogsServiceResponse: Message } } };
    };
  };
};
const { ExportLogsServiceRequest, ExportLogsServiceResponse } =
  published.opentelemetry.proto.collector.logs.v1;

export type AnyValue = {
  stringValue?: string;
  intValue?: string;
  bytesValue?: string;
};

export interface OtlpRecord {
  timeUnixNano: string;
  observedTimeUnixNano: string;
  severityNumber: string;
  severityText: string;
  body: AnyValue;
  attributes: { key: string; value: AnyValue }[];
}

export interface OtlpRequest {
  resourceLogs: {
    resource: { attributes: { key: string; value: AnyValue }[] };
    scopeLogs: { scope: { name: string }; logRecords: OtlpRecord[] }[];
  }[];
}

export interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly partialSuccess?: { rejectedLogRecords: number; errorMessage: string };
  /** It begins, and does not end. */
  readonly hangs?: boolean;
}

/** @throws for bytes that are no ExportLogsServiceRequest, or one with odd fields */
export function decodeRequest(bytes: Uint8Array): OtlpRequest {
  const decoded = ExportLogsServiceRequest.decode(bytes);
  const problem = ExportLogsServiceRequest.verify(decoded);
  if (problem) throw new Error(problem);
  return ExportLogsServiceRequest.toObject(decoded, {
    longs: String,
    enums: String,
    bytes: String,
    arrays: true,
  }) as OtlpRequest;
}

/** A receiver of OTLP/HTTP logs. */
export class OtlpReceiver implements AsyncDisposable {
  /** What came, also when the answer was a failure. */
  readonly requests: { headers: IncomingMessage['headers']; path: string; body: OtlpRequest }[] = [];
  /** What is answered, one after the other; then all is well. */
  readonly answers: Answer[] = [];
  /** Whoever asks something is hung up on. */
  isAway = false;
  readonly #server: Server;
  readonly #scheme: string;

  private constructor(tls?: { cert: Buffer; key: Buffer }) {
    this.#scheme = tls ? 'https' : 'http';
    this.#server = tls ? createHttps(tls) : createHttp();
    this.#server.on('request', async (request: IncomingMessage, response) => {
      if (this.isAway) {
        request.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const sent = Buffer.concat(chunks);
      const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      this.requests.push({ headers: request.headers, path: request.url ?? '', body: decodeRequest(bytes) });
      const { status, headers = {}, partialSuccess, hangs } = this.answers.shift() ?? { status: 200 };
      response.writeHead(status, { 'content-type': 'application/x-protobuf', ...headers });
      if (hangs) response.write(Buffer.of(0x0a));
      else response.end(ExportLogsServiceResponse.encode(partialSuccess ? { partialSuccess } : {}).finish());
    });
  }

  static async start(tls?: { cert: Buffer; key: Buffer }): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver(tls);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/logs`;
  }

  /** All that came, in order. */
  get records(): OtlpRecord[] {
    return this.requests.flatMap(({ body }) =>
      body.resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
