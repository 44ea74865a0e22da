/**
 * Numeric ids as the host has them, by how the client sees them, or the other way; an id that is not in the map is the same on both sides. 0xffffffff is
 * "none is named" on both, unless all are squashed.
 */
export class IdMap {
  readonly #toClient: ReadonlyMap<number, number>;
  readonly #toHost = new Map<number, number>();
  readonly #isIdentity: boolean;
  readonly #squashed: number | undefined;

  /**
   * @param squashed the id of the host that every id of the client's stands for
   * @throws RangeError when two host ids are mapped to one client id: the way back would be a guess.
   */
  constructor(hostToClient: ReadonlyMap<number, number> = new Map(), squashed?: number) {
    this.#toClient = hostToClient;
    this.#squashed = squashed;
    this.#isIdentity = hostToClient.size === 0;
    for (const [host, client] of hostToClient) {
      const other = this.#toHost.get(client);
      if (other !== undefined) {
        throw new RangeError(
          `host ids ${other} and ${host} are both mapped to client id ${client}: map each client id once`,
        );
      }
      this.#toHost.set(client, host);
    }
  }

  toClient(id: number): number {
    return this.#isIdentity ? id : (this.#toClient.get(id) ?? id);
  }

  toHost(id: number): number {
    return this.#squashed ?? (this.#isIdentity ? id : (this.#toHost.get(id) ?? id));
  }
}
