/** How a connection ended. */
export interface ConnectionEnd {
  /**
   * `closed`: the client hung up. `shutdown`: we were asked to stop. `protocol`: what came was not 9P. `transport`: the stream failed.
   * `crashed`: the serving thread died.
   */
  reason: 'closed' | 'shutdown' | 'protocol' | 'transport' | 'crashed';
  /** One sentence for a log. */
  message: string;
  error?: Error;
}

/** A connection being served. */
export interface Connection {
  /** Settles when the connection has ended and everything it held is let go. Never rejects. */
  readonly ended: Promise<ConnectionEnd>;
  /** No further requests are read; those received are answered; then the connection ends. */
  shutdown(): void;
  /** Ends the connection at once. */
  destroy(): void;
}
