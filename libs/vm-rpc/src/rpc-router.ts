import type { DescService } from '@bufbuild/protobuf';
import { type ConnectRouter, createConnectRouter, type Interceptor } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { type HandlerErrorListener, reportErrors } from './handler-errors.ts';

export interface RpcRouterOptions {
  readonly interceptors: Interceptor[];
  readonly maxMessageBytes: number;
  readonly maxTimeoutMs: number | undefined;
  readonly shutdownSignal: AbortSignal;
  readonly onHandlerError: HandlerErrorListener | undefined;
}

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
      // Between programs of one machine it costs more than it saves, and a small message may stand for a large one.
      acceptCompression: [],
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
