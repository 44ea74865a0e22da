import * as linux from '@vm-tools/linux';
import { Acceptor } from './acceptor.ts';
import type { Address } from './address.ts';
import type { Listening } from './listening.ts';
import { parseAddress } from './parse-address.ts';
import { admission, type Peer } from './peer.ts';
import { type ListenOptions, openSources, type Sources } from './sources.ts';

/** What is asked of whoever takes descriptors. */
export interface DescriptorEvents {
  /** A connected stream socket, non-blocking and close-on-exec: the callee's from now on. */
  onConnection(fd: number, peer: Peer): void;
  /** Someone was turned away: not among `acceptCids`. */
  onRefused?(peer: Peer): void;
  /** Something is wrong with one of its sockets, or no descriptor is left for the next connection; it goes on. */
  onError?(error: Error): void;
}

/** As `listen`, for connections that are to be handed to threads or children: descriptors in place of sockets. */
export async function listenDescriptors(
  address: Address | string,
  options: ListenOptions & DescriptorEvents,
): Promise<DescriptorListener> {
  const at = typeof address === 'string' ? parseAddress(address, { for: 'listen' }) : address;
  options.signal?.throwIfAborted();
  const listener = new DescriptorListener(options);
  await listener.open(at);
  return listener;
}

/** A listening address whose connections are descriptors; see {@link listenDescriptors}. */
export class DescriptorListener implements Disposable {
  readonly #options: ListenOptions & DescriptorEvents;
  readonly #admits: (peer: Peer) => boolean;
  readonly #open = new Map<number | undefined, { acceptor: Acceptor; listening: Listening }>();
  #sources: Sources | undefined;
  #isOpen = true;

  /** Use {@link listenDescriptors}. */
  constructor(options: ListenOptions & DescriptorEvents) {
    this.#options = options;
    this.#admits = admission(options.acceptCids);
  }

  /** Where it listens: a port that was left to the kernel is the one it chose. */
  get address(): Address | undefined {
    return this.#sources?.address;
  }

  /** Called by {@link listenDescriptors}. */
  async open(address: Address): Promise<void> {
    const { signal } = this.#options;
    try {
      this.#sources = await openSources(address, this.#options, {
        onOpen: (listening, key) => this.#serve(listening, key),
        onGone: (key) => this.#end(key),
        onError: (error) => this.#options.onError?.(error),
      });
      signal?.throwIfAborted();
    } catch (error) {
      this.close();
      throw error;
    }
    signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  /** Stops listening, and removes the files that it made. Twice does no harm. */
  close(): void {
    this.#isOpen = false;
    this.#options.signal?.removeEventListener('abort', this.#aborted);
    this.#sources?.vms?.close();
    for (const key of [...this.#open.keys()]) this.#end(key);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  readonly #aborted = (): void => this.close();

  #serve(listening: Listening, key: number | undefined): void {
    const acceptor = new Acceptor(listening.fd, {
      onConnection: (fd) => this.#admit(fd, listening),
      onShortage: (error) => this.#options.onError?.(error),
    });
    this.#open.set(key, { acceptor, listening });
    if (!this.#isOpen) this.#end(key);
  }

  #admit(fd: number, listening: Listening): void {
    const peer = listening.identify(fd);
    if (peer !== undefined && this.#admits(peer)) {
      this.#options.onConnection(linux.letGo(fd), peer);
      return;
    }
    linux.close(fd);
    if (peer !== undefined) this.#options.onRefused?.(peer);
  }

  #end(key: number | undefined): void {
    const ended = this.#open.get(key);
    this.#open.delete(key);
    ended?.listening.removeFile();
    ended?.acceptor.close();
  }
}
