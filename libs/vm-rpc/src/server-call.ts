import { once } from 'node:events';
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { Code, ConnectError, createContextValues } from '@connectrpc/connect';
import type {
  UniversalHandler,
  UniversalServerRequest,
  UniversalServerResponse,
} from '@connectrpc/connect/protocol';
import { callerKey } from './caller.ts';
import type { ServerConnection } from './server-connection.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR } = constants;

/** Has a call answered by its handler. Never fails: what goes wrong concerns that stream alone. */
export async function serveCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handler: UniversalHandler | undefined,
  connection: ServerConnection,
): Promise<void> {
  // Also told by 'close'.
  stream.on('error', () => undefined);
  try {
    if (handler) await answer(stream, headers, handler, connection);
    else refuse(stream, headers);
  } catch {
    // The caller has gone away, or the stream is broken: there is nobody to tell more.
    stream.close(NGHTTP2_INTERNAL_ERROR);
  }
  // What was not read, because the answer does not depend on it, must not keep the stream open.
  if (!stream.readableEnded) stream.close(NGHTTP2_NO_ERROR);
  stream.resume();
}

async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handler: UniversalHandler,
  { peer, usage }: ServerConnection,
): Promise<void> {
  const header = toWeb(headers);
  const url = URL.parse(String(headers[':path']), `http://${headers[':authority'] ?? 'localhost'}`);
  // None that HTTP allows. The connection is a VM's, which may say anything.
  if (!header || !url) return stream.close(NGHTTP2_PROTOCOL_ERROR);
  using holding = usage.hold();
  const body: AsyncIterable<Uint8Array> = stream.iterator({ destroyOnReturn: false });
  const { methodKind } = handler.method;
  const request: UniversalServerRequest = {
    httpVersion: '2.0',
    method: String(headers[':method']),
    url: url.href,
    header,
    // Of a stream of messages one is held at a time.
    body: methodKind === 'unary' || methodKind === 'server_streaming' ? holding.count(body) : body,
    signal: signalOf(stream),
    contextValues: createContextValues().set(callerKey, peer),
  };
  await respond(stream, await handler(request));
}

/** Why a signal is aborted whose call has been answered: one for all, for making an error is not free. */
const ANSWERED = new ConnectError('the call has been answered', Code.Canceled);

/** Aborted when the stream ends, whoever ends it. */
function signalOf(stream: ServerHttp2Stream): AbortSignal {
  const controller = new AbortController();
  stream.once('close', () => {
    if (stream.writableFinished && stream.rstCode === NGHTTP2_NO_ERROR) return controller.abort(ANSWERED);
    const isCanceled = stream.rstCode === NGHTTP2_CANCEL || stream.rstCode === NGHTTP2_NO_ERROR;
    const problem = isCanceled
      ? 'the caller gave up, or is gone'
      : `the stream was reset (${stream.rstCode})`;
    controller.abort(new ConnectError(problem, isCanceled ? Code.Canceled : Code.Aborted));
  });
  return controller.signal;
}

async function respond(stream: ServerHttp2Stream, response: UniversalServerResponse): Promise<void> {
  const { status, header, body, trailer } = response;
  const messages = body?.[Symbol.asyncIterator]();
  try {
    // Headers go out after the first message was made: until then the handler may add to them.
    let message = await messages?.next();
    stream.respond({ ':status': status, ...toNode(header) }, { waitForTrailers: true });
    for (; message && !message.done; message = await messages?.next()) await write(stream, message.value);
    await end(stream, toNode(trailer));
  } catch (error) {
    await messages?.throw?.(error).catch(() => undefined);
    throw error;
  } finally {
    await messages?.return?.().catch(() => undefined);
  }
}

/** Resolves when the trailers were handed over: a reset overtakes them until then. */
function end(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve();
    stream.once('close', resolve);
    stream.once('wantTrailers', () => {
      stream.sendTrailers(trailers);
      // Node hands them over in an immediate of its own.
      setImmediate(resolve);
    });
    stream.end();
  });
}

/** @throws Error when nothing can be written any more */
async function write(stream: ServerHttp2Stream, bytes: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.closed) throw new Error('the stream has ended');
  if (stream.write(bytes)) return;
  const ended = new AbortController();
  const onClose = () => ended.abort();
  stream.once('close', onClose);
  try {
    await once(stream, 'drain', { signal: ended.signal });
  } finally {
    stream.off('close', onClose);
  }
}

/** As gRPC says it, where HTTP would say 404. */
function refuse(stream: ServerHttp2Stream, { ':path': path }: IncomingHttpHeaders): void {
  const headers = {
    ':status': 200,
    'content-type': 'application/grpc',
    'grpc-status': Code.Unimplemented,
    'grpc-message': encodeURIComponent(`there is no method ${path}`),
  };
  stream.respond(headers, { endStream: true });
}

function toWeb(headers: IncomingHttpHeaders): Headers | undefined {
  const web = new Headers();
  try {
    for (const [name, value] of Object.entries(headers)) {
      if (name.startsWith(':')) continue;
      for (const each of Array.isArray(value) ? value : [value ?? '']) web.append(name, each);
    }
    return web;
  } catch {
    return undefined;
  }
}

function toNode(headers: Headers | undefined): OutgoingHttpHeaders {
  const node: OutgoingHttpHeaders = {};
  for (const [name, value] of headers ?? []) node[name] = value;
  return node;
}
