import { Errno, errnoName } from '../errno.ts';
import type { ConnectionEnd } from '../server/connection.ts';
import { ProtocolError } from '../server/session.ts';

/* How connections over descriptors end. */

export function hungUp(isInsideRequest: boolean): ConnectionEnd {
  return {
    reason: 'closed',
    message: isInsideRequest ? 'the client hung up in the middle of a request' : 'the client hung up',
  };
}

export function transportFailed(doing: string, errno: number): ConnectionEnd {
  if (errno === Errno.EPIPE || errno === Errno.ECONNRESET) return hungUp(false);
  return { reason: 'transport', message: `${doing} failed: ${errnoName(errno)}` };
}

export function violated(error: ProtocolError): ConnectionEnd {
  return { reason: 'protocol', message: error.message, error };
}

/** What another thread tells: a structured clone, whose error has lost its class and `code`. */
export function told(end: ConnectionEnd): ConnectionEnd {
  return end.reason === 'protocol' ? violated(new ProtocolError(end.message)) : end;
}
