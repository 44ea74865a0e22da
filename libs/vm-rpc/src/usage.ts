import { Code, ConnectError } from '@connectrpc/connect';
import type { Peer } from '@vm-tools/vsock';

export interface UsageLimits {
  readonly maxConnectionsPerPeer: number;
  readonly maxPendingBytesPerPeer: number;
}

/** What one peer - a VM, a user, a machine - has of a server. */
export class Usage {
  connections = 0;
  pendingBytes = 0;
  readonly #limits: UsageLimits;

  constructor(limits: UsageLimits) {
    this.#limits = limits;
  }

  get isFull(): boolean {
    return this.connections >= this.#limits.maxConnectionsPerPeer;
  }

  /** For a call: what its request takes is given back with it. */
  hold(): Holding {
    return new Holding(this, this.#limits.maxPendingBytesPerPeer);
  }
}

/** What the request of one call takes, from its first byte until the call has been answered. */
class Holding implements Disposable {
  readonly #usage: Usage;
  readonly #limit: number;
  #bytes = 0;

  constructor(usage: Usage, limit: number) {
    this.#usage = usage;
    this.#limit = limit;
  }

  /**
   * The same bytes, counted.
   * @throws ConnectError (RESOURCE_EXHAUSTED) when the peer has too much under way
   */
  async *count(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of body) {
      this.#bytes += bytes.length;
      this.#usage.pendingBytes += bytes.length;
      if (this.#usage.pendingBytes > this.#limit) {
        const problem = `more than ${this.#limit} bytes of requests are under way at once`;
        throw new ConnectError(problem, Code.ResourceExhausted);
      }
      yield bytes;
    }
  }

  [Symbol.dispose](): void {
    this.#usage.pendingBytes -= this.#bytes;
    this.#bytes = 0;
  }
}

/** By peer; forgets those that have no connection any more. */
export class Usages {
  readonly #limits: UsageLimits;
  readonly #usages = new Map<string, Usage>();

  constructor(limits: UsageLimits) {
    this.#limits = limits;
  }

  /** Undefined: the peer has as many connections as it may have. Otherwise to be given back by `leave`. */
  enter(peer: Peer): Usage | undefined {
    const name = nameOf(peer);
    const usage = this.#usages.get(name) ?? new Usage(this.#limits);
    if (usage.isFull) return undefined;
    usage.connections++;
    this.#usages.set(name, usage);
    return usage;
  }

  leave(peer: Peer): void {
    const name = nameOf(peer);
    const usage = this.#usages.get(name);
    if (usage && --usage.connections === 0) this.#usages.delete(name);
  }
}

/** What is counted together: ports and process ids do not make another peer. */
function nameOf(peer: Peer): string {
  switch (peer.kind) {
    case 'vsock':
      return `vsock ${peer.cid}`;
    case 'hybrid':
      return `hybrid ${peer.path}`;
    case 'unix':
      return `unix ${peer.uid}`;
    case 'tcp':
      return `tcp ${peer.host}`;
  }
}
