import type { DescService } from '@bufbuild/protobuf';
import { type ConnectRouter, createConnectRouter, type Interceptor } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';
import { type HandlerErrorListener, reportErrors } from './handler-errors.ts';

export interface RpcRouterOptions {
  readonly interceptors: Interceptor[];
  readonly maxMessageBytes: number;
  readonly maxTimeoutMs: number | undefined;
  readonly shutdownSignal: AbortSignal;
  readonly onHandlerError: HandlerErrorListener | undefined;
}

/** Never: on the sockets of one machine compressing costs more than it saves. */
const COMPRESS_MIN_BYTES = 0xffffffff;

/** Which handler is behind which path. */
export class RpcRouter {
  readonly #router: ConnectRouter;
  readonly #handlers = new Map<string, UniversalHandler>();

  constructor(options: RpcRouterOptions) {
    const { maxMessageBytes, interceptors, shutdownSignal, maxTimeoutMs, onHandlerError } = options;
    this.#router = createConnectRouter({
      grpc: true,
      grpcWeb: false,
      connect: false,
      // Others may send compressed messages.
      acceptCompression: [compressionGzip],
      compressMinBytes: COMPRESS_MIN_BYTES,
      interceptors: onHandlerError ? [reportErrors(onHandlerError), ...interceptors] : interceptors,
      readMaxBytes: maxMessageBytes,
      writeMaxBytes: maxMessageBytes,
      shutdownSignal,
      ...(maxTimeoutMs === undefined ? {} : { maxTimeoutMs }),
    });
  }

  /** Every service that was registered until now. */
  get services(): ReadonlySet<DescService> {
    return new Set(this.#router.handlers.map(({ service }) => service));
  }

  register(routes: (router: ConnectRouter) => void): void {
    routes(this.#router);
    for (const handler of this.#router.handlers) this.#handlers.set(handler.requestPath, handler);
  }

  find(path: string): UniversalHandler | undefined {
    return this.#handlers.get(path);
  }
}
