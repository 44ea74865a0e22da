import { Connection, type ConnectionState } from './connection.ts';

/** Ports that the device gives to connections which the host begins: above those that programs listen on. */
const FIRST_HOST_PORT = 0x4000_0000;
const LAST_HOST_PORT = 0x7fff_ffff;

/** The connections of one guest, by their two ports. */
export class ConnectionTable {
  /** Of the host; each has those of the guest. Ports as signed numbers: as keys these cost no allocation. */
  readonly #byHostPort = new Map<number, Map<number, Connection>>();
  #nextHostPort = FIRST_HOST_PORT;
  #size = 0;
  /** The one that was found last: often it is wanted again. */
  #last: Connection | undefined;

  get size(): number {
    return this.#size;
  }

  find(guestPort: number, hostPort: number): Connection | undefined {
    const last = this.#last;
    if (last && last.guestPort === guestPort && last.hostPort === hostPort) return last;
    const found = this.#byHostPort.get(hostPort | 0)?.get(guestPort | 0);
    if (found) this.#last = found;
    return found;
  }

  add(guestPort: number, hostPort: number, state: ConnectionState): Connection {
    const connection = new Connection(guestPort, hostPort, state);
    let sameHostPort = this.#byHostPort.get(hostPort | 0);
    if (!sameHostPort) {
      sameHostPort = new Map();
      this.#byHostPort.set(hostPort | 0, sameHostPort);
    }
    sameHostPort.set(guestPort | 0, connection);
    this.#size++;
    return connection;
  }

  remove(connection: Connection): void {
    const sameHostPort = this.#byHostPort.get(connection.hostPort | 0);
    if (sameHostPort?.get(connection.guestPort | 0) !== connection) return;
    sameHostPort.delete(connection.guestPort | 0);
    if (sameHostPort.size === 0) this.#byHostPort.delete(connection.hostPort | 0);
    if (this.#last === connection) this.#last = undefined;
    this.#size--;
  }

  /** A port that no connection has, nor has had lately. */
  freeHostPort(): number {
    for (;;) {
      const port = this.#nextHostPort;
      this.#nextHostPort = port === LAST_HOST_PORT ? FIRST_HOST_PORT : port + 1;
      if (!this.#byHostPort.has(port)) return port;
    }
  }

  *[Symbol.iterator](): IterableIterator<Connection> {
    for (const sameHostPort of this.#byHostPort.values()) yield* sameHostPort.values();
  }
}
