import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from './gen/grpc/health/v1/health_pb.ts';

/** How a service says it is. */
export type ServiceHealth = Exclude<keyof typeof Status, 'SERVICE_UNKNOWN'>;

/**
 * What a server answers on grpc.health.v1. Every service it has is SERVING until it is said otherwise, and the server as a
 * whole (`''`) too.
 */
export class HealthStatus {
  readonly #services = new Map<string, ServiceHealth>();
  readonly #watchers = new Set<() => void>();
  #isOver = false;

  /** @param service with its package; `''` for the server as a whole */
  set(service: string, health: ServiceHealth): void {
    this.#services.set(service, health);
    this.#tell();
  }

  /** Undefined: the server has no such service. */
  get(service: string): ServiceHealth | undefined {
    return this.#services.get(service);
  }

  /** The end of the server: nothing is serving any more, and those who watch are told. */
  end(): void {
    this.#isOver = true;
    for (const service of this.#services.keys()) this.#services.set(service, 'NOT_SERVING');
    this.#tell();
  }

  /** Adds the service grpc.health.v1.Health. */
  serveOn(router: ConnectRouter): void {
    router.service(Health, {
      check: ({ service }) => {
        const health = this.get(service);
        if (health === undefined) throw new ConnectError(`there is no service ${service}`, Code.NotFound);
        return { status: Status[health] };
      },
      list: () => ({
        statuses: Object.fromEntries(
          [...this.#services.keys()].map((service) => [service, this.#response(service)]),
        ),
      }),
      watch: ({ service }, { signal }) => this.#watch(service, signal),
    });
  }

  async *#watch(service: string, signal: AbortSignal): AsyncGenerator<HealthCheckResponse> {
    let last: Status | undefined;
    while (!signal.aborted) {
      const changed = this.#change(signal);
      const response = this.#response(service);
      if (response.status !== last) yield response;
      last = response.status;
      // A watch would keep the server from ending.
      if (this.#isOver) return;
      await changed;
    }
  }

  #response(service: string): HealthCheckResponse {
    const status = Status[this.get(service) ?? 'SERVICE_UNKNOWN'];
    return create(HealthCheckResponseSchema, { status });
  }

  /** Resolves at the next change, or when nobody waits for it any more. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#watchers.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#watchers.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
