import { EventEmitter } from 'node:events';
import type { DuplexLike } from '../src/byte-stream.ts';
import { FrameSplitter } from '../src/client/frame-splitter.ts';
import { decode, encode } from '../src/wire/codec.ts';
import type { Message, MessageName } from '../src/wire/messages.ts';

/** The server's end of a connection, played by the test: it sees each request and says what is sent back, and when. Also the stream that the client gets. */
export class ScriptedPeer extends EventEmitter implements DuplexLike {
  /** What `write` answers: false asks the client to wait for `drain`. */
  takesMore = true;
  destroyed = false;
  /** How many times the client wrote. */
  writes = 0;
  readonly #splitter = new FrameSplitter(1 << 24);
  readonly #received: Message[] = [];
  #waiting: ((message: Message) => void)[] = [];
  #answer: ((request: Message) => Message | undefined) | undefined;

  // The client's side

  write(bytes: Uint8Array, sent?: () => void): boolean {
    this.writes++;
    this.#splitter.push(bytes.slice(), (frame) => this.#take(decode(frame)));
    if (sent !== undefined) queueMicrotask(sent);
    return this.takesMore;
  }

  end(): void {}

  destroy(): void {
    this.destroyed = true;
    queueMicrotask(() => this.emit('close'));
  }

  pause(): void {}

  resume(): void {}

  // The test's side

  /** Requests not looked at so far. */
  get unread(): readonly Message[] {
    return this.#received;
  }

  /** The next request, which must be a `name`. */
  async next<N extends MessageName>(name: N): Promise<Message<N>> {
    const message =
      this.#received.shift() ?? (await new Promise<Message>((resolve) => this.#waiting.push(resolve)));
    if (message.message !== name)
      throw new Error(`expected the client to send ${name}, it sent ${message.message}`);
    return message as Message<N>;
  }

  /** Answers all further requests by a function of theirs; what it gives undefined for is left to `next`. */
  answerWith(answer: (request: Message) => Message | undefined): void {
    this.#answer = answer;
  }

  send(...messages: Message[]): void {
    for (const message of messages) this.emit('data', encode(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.emit('data', bytes);
  }

  drain(): void {
    this.takesMore = true;
    this.emit('drain');
  }

  #take(message: Message): void {
    const reply = this.#answer?.(message);
    if (reply !== undefined) {
      queueMicrotask(() => this.send(reply));
      return;
    }
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#received.push(message);
    else waiting(message);
  }
}

/** Lets everything that is ready to run do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
