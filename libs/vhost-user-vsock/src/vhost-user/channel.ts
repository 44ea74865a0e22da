import { close, Errno, errnoCode, recvmsg, send } from '@vm-tools/linux';
import { VhostUserError } from '../errors.ts';
import {
  IS_REPLY,
  LONGEST_PAYLOAD,
  MAX_TABLE_REGIONS,
  MESSAGE_HEADER_BYTES,
  VERSION,
  VERSION_MASK,
} from './messages.ts';

/** A message of the VMM. The descriptors are the receiver's, who closes them or keeps them. */
export interface Message {
  readonly request: number;
  readonly flags: number;
  /** Valid until the next message is read. */
  readonly payload: DataView;
  readonly descriptors: readonly number[];
}

/** The connection to the VMM: messages with descriptors. Owns its socket, which is non-blocking. */
export class Channel implements Disposable {
  readonly fd: number;
  readonly #buffer = new Uint8Array(MESSAGE_HEADER_BYTES + LONGEST_PAYLOAD);
  readonly #view = new DataView(this.#buffer.buffer);
  readonly #received = new Int32Array(MAX_TABLE_REGIONS);
  #filled = 0;
  #descriptors: number[] = [];
  #isOpen = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * The next message; undefined when it has not come yet, null at the end.
   * @throws {VhostUserError} when what comes is no message
   */
  read(): Message | undefined | null {
    // First the header alone: of a message that follows neither byte nor descriptor may be read with this one.
    for (let wanted = MESSAGE_HEADER_BYTES; ; ) {
      while (this.#filled < wanted) {
        const count = recvmsg(this.fd, this.#buffer, this.#filled, wanted - this.#filled, 0, this.#received);
        if (count === -Errno.EAGAIN) return undefined;
        if (count === 0 || count === -Errno.ECONNRESET) return null;
        if (count < 0) throw new VhostUserError(`a message cannot be read: ${errnoCode(count)}`);
        for (const descriptor of this.#received) if (descriptor >= 0) this.#descriptors.push(descriptor);
        this.#filled += count;
      }
      const size = this.#view.getUint32(8, true);
      if (size > LONGEST_PAYLOAD) throw new VhostUserError(`a message says that it has ${size} bytes`);
      if (wanted === MESSAGE_HEADER_BYTES + size) return this.#message(size);
      wanted = MESSAGE_HEADER_BYTES + size;
    }
  }

  #message(size: number): Message {
    const request = this.#view.getUint32(0, true);
    const flags = this.#view.getUint32(4, true);
    if ((flags & VERSION_MASK) !== VERSION)
      throw new VhostUserError(`message ${request} is of version ${flags & VERSION_MASK}, not ${VERSION}`);
    const descriptors = this.#descriptors;
    this.#descriptors = [];
    this.#filled = 0;
    return {
      request,
      flags,
      payload: new DataView(this.#buffer.buffer, MESSAGE_HEADER_BYTES, size),
      descriptors,
    };
  }

  /** @throws {VhostUserError} when the VMM does not take it */
  reply(request: number, payload: Uint8Array): void {
    const message = new Uint8Array(MESSAGE_HEADER_BYTES + payload.length);
    const view = new DataView(message.buffer);
    view.setUint32(0, request, true);
    view.setUint32(4, VERSION | IS_REPLY, true);
    view.setUint32(8, payload.length, true);
    message.set(payload, MESSAGE_HEADER_BYTES);
    const sent = send(this.fd, message, 0, message.length, 0);
    if (sent !== message.length)
      throw new VhostUserError(`the VMM does not take the reply to message ${request}`);
  }

  /** Closes the socket and descriptors of a message that has come in part. Twice does no harm. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const descriptor of this.#descriptors) close(descriptor);
    this.#descriptors = [];
    close(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
