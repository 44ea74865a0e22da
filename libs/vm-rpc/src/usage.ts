import { Code, ConnectError } from '@connectrpc/connect';
import type { Peer } from '@vm-tools/vsock';

export interface UsageLimits {
  readonly maxConnectionsPerPeer: number;
  readonly maxPendingBytesPerPeer: number;
}

/** What one peer - a VM, a user, a machine - has of a server. */
export class Usage {
  connections = 0;
  #pendingBytes = 0;
  readonly #limits: UsageLimits;

  constructor(limits: UsageLimits) {
    this.#limits = limits;
  }

  get isFull(): boolean {
    return this.connections >= this.#limits.maxConnectionsPerPeer;
  }

  /**
   * The same bytes, counted until all of them have come: as long as they are held without anybody having looked at them.
   * @throws ConnectError (RESOURCE_EXHAUSTED) when the peer has too much under way
   */
  async *counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let held = 0;
    try {
      for await (const bytes of body) {
        held += bytes.length;
        this.#pendingBytes += bytes.length;
        if (this.#pendingBytes > this.#limits.maxPendingBytesPerPeer) throw this.#exhausted();
        yield bytes;
      }
    } finally {
      this.#pendingBytes -= held;
    }
  }

  #exhausted(): ConnectError {
    const { maxPendingBytesPerPeer: limit } = this.#limits;
    return new ConnectError(
      `more than ${limit} bytes of messages are on their way at once`,
      Code.ResourceExhausted,
    );
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
