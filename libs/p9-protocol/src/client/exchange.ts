import { type Message, MessageType } from '../wire/messages.ts';
import { describeRequest, type Request } from './request.ts';

export interface ExchangeOptions {
  /** The frame's tag, when it is not to be allotted. */
  tag?: number | undefined;
  /** Told to cancel it, with the signal's reason, as long as it is not settled. */
  signal?: { from: AbortSignal; cancel: (exchange: Exchange, reason: unknown) => void } | undefined;
}

/** A request and its reply to come: waiting to be sent, sent, or (kept for its tag) answered while its Tflush was under way. */
export class Exchange {
  readonly frame: Uint8Array;
  readonly reply: Promise<Message>;
  /** Undefined until it is allotted, which is when the request is sent. */
  tag: number | undefined;
  /** The tag was in the frame beforehand. */
  readonly hasOwnTag: boolean;
  /** Its Tflush is on the way. */
  flushing = false;
  readonly #request: Request | undefined;
  #settled = false;
  #resolve: ((reply: Message) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;
  #unlisten: (() => void) | undefined;

  /** @param request undefined when any message may be the reply */
  constructor(frame: Uint8Array, request: Request | undefined, options: ExchangeOptions = {}) {
    this.frame = frame;
    this.#request = request;
    this.tag = options.tag;
    this.hasOwnTag = options.tag !== undefined;
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (options.signal !== undefined) {
      const { from, cancel } = options.signal;
      const listener = () => cancel(this, from.reason);
      from.addEventListener('abort', listener);
      this.#unlisten = () => from.removeEventListener('abort', listener);
    }
  }

  /** The request's name. */
  get name(): string {
    return this.#request?.message ?? 'a frame sent as it was';
  }

  /** The request with its fields, for error texts. */
  get description(): string {
    return this.#request === undefined ? this.name : describeRequest(this.#request);
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Whether Rlerror is to be handed over as it is, like any other message. */
  get isRaw(): boolean {
    return this.#request === undefined;
  }

  /** Whether `reply` can answer the request: the type one above its own, or Rlerror. */
  accepts(reply: Message): boolean {
    if (this.#request === undefined || reply.message === 'Rlerror') return true;
    return MessageType[reply.message] === MessageType[this.#request.message] + 1;
  }

  /** The first of `resolve` and `reject` counts. */
  resolve(reply: Message): void {
    if (this.#settle()) this.#resolve?.(reply);
  }

  reject(reason: unknown): void {
    if (this.#settle()) this.#reject?.(reason);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#unlisten?.();
    return true;
  }
}
