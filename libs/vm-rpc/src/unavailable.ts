import { Code, ConnectError, type Interceptor, type StreamResponse } from '@connectrpc/connect';

/** What a call fails with when its connection is the trouble. */
export function unavailable(cause: unknown): ConnectError {
  if (cause instanceof ConnectError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
}

/** Codes of Node that mean: not the call, its connection. */
const CONNECTION_CODES = new Set([
  'ECONNRESET',
  'EPIPE',
  'ENOTCONN',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_STREAM_CANCEL',
]);

/** What a server says of a call that it has not looked at. */
const REFUSED = /REFUSED_STREAM/;

/** How often a call that was not looked at is tried again. */
const RETRIES = 2;

/**
 * Gives failures of the connection the status UNAVAILABLE that gRPC has for them, whatever Node calls them, and makes a
 * unary call again that the server has not looked at, for it was about to end.
 */
export const connectionErrors: Interceptor = (next) => async (request) => {
  for (let retries = 0; ; retries++) {
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: explained(response) } : response;
    } catch (error) {
      const isUnseen = error instanceof ConnectError && REFUSED.test(error.rawMessage);
      if (!isUnseen || request.stream || request.signal.aborted || retries === RETRIES) throw explain(error);
    }
  }
};

async function* explained(response: StreamResponse): StreamResponse['message'] {
  try {
    yield* response.message;
  } catch (error) {
    throw explain(error);
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof ConnectError) || error.code === Code.Unavailable) return error;
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ConnectError && cause.code === Code.Unavailable) return cause;
    if ('code' in cause && CONNECTION_CODES.has(String(cause.code))) {
      return new ConnectError(error.rawMessage, Code.Unavailable, error.metadata, undefined, error);
    }
  }
  if (!REFUSED.test(error.rawMessage)) return error;
  return new ConnectError(error.rawMessage, Code.Unavailable, error.metadata, undefined, error);
}
