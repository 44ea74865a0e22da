import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createVmTransport, type VmTransport } from '@vm-tools/vm-rpc';
import { CrashListener } from '@vm-tools/vm-rpc/vm-crash';
import { type Address, Cid } from '@vm-tools/vsock';
import type { Report } from './collect-crash.ts';

const PORT = 7779;
/** The answer may have to wait for a conversion in the same process, on a busy machine; the process that crashed does not wait. */
const ASK_MS = 30_000;
const SEND_MS = 120_000;

/** Answers by which it is the report that is wrong, or not wanted: sending it again would change nothing. */
const FINAL: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.FailedPrecondition,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.Unimplemented,
  Code.OutOfRange,
]);
/** The host is not there, or does not answer. */
const AWAY: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded]);

export interface CrashHostOptions {
  /** Default vsock:host:7779. */
  readonly address?: Address | string;
  /** For the answer whether there is consent, in milliseconds; default 30,000. */
  readonly askTimeoutMs?: number;
  /** For a report to be taken, in milliseconds; default 120,000. */
  readonly sendTimeoutMs?: number;
}

/** The host, to which a guest reports crashes. It is connected to when something is asked of it. */
export class CrashHost implements AsyncDisposable {
  readonly #transport: VmTransport;
  readonly #client: Client<typeof CrashListener>;
  readonly #ask: { readonly timeoutMs: number };
  readonly #send: { readonly timeoutMs: number };

  constructor({
    address = { kind: 'vsock', cid: Cid.host, port: PORT },
    askTimeoutMs = ASK_MS,
    sendTimeoutMs = SEND_MS,
  }: CrashHostOptions = {}) {
    this.#transport = createVmTransport(address);
    this.#client = createClient(CrashListener, this.#transport);
    this.#ask = { timeoutMs: askTimeoutMs };
    this.#send = { timeoutMs: sendTimeoutMs };
  }

  /** Whether reports may be kept: an error means no; `away` that there is nobody to ask. */
  async consent(): Promise<'yes' | 'no' | 'away'> {
    try {
      return (await this.#client.checkMetricsConsent({}, this.#ask)).consentGranted ? 'yes' : 'no';
    } catch (error) {
      return AWAY.has(ConnectError.from(error).code) ? 'away' : 'no';
    }
  }

  /** Sends a report: it was kept; or refused for good; or is to be sent again `later`. */
  async send(report: Report): Promise<'kept' | 'refused' | 'later'> {
    try {
      await this.#client.sendCrashReport(report, this.#send);
      return 'kept';
    } catch (error) {
      return FINAL.has(ConnectError.from(error).code) ? 'refused' : 'later';
    }
  }

  /**
   * Tells that a service has ended that should not have.
   * @param process the name of its program
   * @throws ConnectError
   */
  async sendFailure(process: string): Promise<void> {
    await this.#client.sendFailureReport({ failedProcess: process }, this.#ask);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#transport.abort();
  }
}
