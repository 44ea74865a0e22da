import type { DuplexLike } from '../byte-stream.ts';
import { NOFID } from '../wire/messages.ts';
import type { ConnectionError } from './connection-error.ts';
import { DEFAULT_MSIZE, MIN_MSIZE, RawClient } from './raw-client.ts';
import { RemoteNode } from './remote-node.ts';
import type { CallOptions } from './request.ts';
import { Session } from './session.ts';

export interface ConnectOptions extends CallOptions {
  /** Any socket, pipe pair or adapted message channel with a 9P server at its other end. The client takes it over. */
  stream: DuplexLike;
  /** Most bytes of one message, 4096 to 2^30; the server may settle on less. Default 128 KiB. */
  msize?: number;
}

/** Who attaches, and to what. The server may or may not look at it. */
export interface AttachOptions extends CallOptions {
  /** Name of the user. Default empty. */
  uname?: string;
  /** Which tree; default empty: the server's only one, or the one it has for that. */
  aname?: string;
  /** Number of the user; default none. */
  nUname?: number;
}

/**
 * A 9P2000.L client.
 *
 * ```ts
 * const client = await Client.connect({ stream: net.connect('/run/9s.sock') });
 * const root = await client.attach();
 * console.log(new TextDecoder().decode(await root.readFile('etc/hostname')));
 * client.close();
 * ```
 */
export class Client {
  /** The connection, for messages of one's own. */
  readonly raw: RawClient;
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
    this.raw = session.raw;
  }

  /**
   * Settles version and msize with the server.
   * Rejects with ConnectionError, and the stream is destroyed, when there is no 9P2000.L server at its other end.
   */
  static async connect(options: ConnectOptions): Promise<Client> {
    const { stream, msize = DEFAULT_MSIZE, signal } = options;
    if (!Number.isInteger(msize) || msize < MIN_MSIZE || msize > 1 << 30) {
      throw new RangeError(`msize must be a whole number from ${MIN_MSIZE} to ${1 << 30}, not ${msize}`);
    }
    const raw = new RawClient(stream, { msize });
    try {
      await raw.negotiate({ signal });
    } catch (error) {
      raw.close();
      throw error;
    }
    return new Client(new Session(raw));
  }

  /** Most bytes of one message, as settled. */
  get msize(): number {
    return this.raw.msize;
  }

  /** Fids in use, or about to be: 0 when all handles have been ended. */
  get fidsInUse(): number {
    return this.#session.fidsInUse;
  }

  /** Resolves, never rejects, with the reason when the connection is over. */
  get closed(): Promise<ConnectionError> {
    return this.raw.closed;
  }

  /** The root of a tree of the server's. */
  async attach(options: AttachOptions = {}): Promise<RemoteNode> {
    const { uname = '', aname = '', nUname = 0xffffffff, signal } = options;
    const encoder = new TextEncoder();
    const who = { afid: NOFID, uname: encoder.encode(uname), aname: encoder.encode(aname), nUname };
    return this.#session.makeFid(async (fid) => {
      const { qid } = await this.raw.call({ message: 'Tattach', fid, ...who }, { signal });
      return new RemoteNode(this.#session, fid, qid);
    });
  }

  /** Ends the connection at once. All handles are worthless then, what is pending rejects with ConnectionError. */
  close(): void {
    this.raw.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
