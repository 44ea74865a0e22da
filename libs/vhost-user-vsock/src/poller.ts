import {
  check,
  close,
  constants,
  epollControl,
  epollCreate,
  epollWait,
  type Watch,
  watch,
} from '@vm-tools/linux';

const { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET } = constants;

/** Who is told that a descriptor is ready: once each time it becomes so (edge-triggered). */
export interface PollTarget {
  onReady(events: number): void;
}

/**
 * Many descriptors behind one watch of the event loop: what becomes ready costs neither a callback of its own nor a
 * system call to say that it has been heard.
 */
export class Poller implements Disposable {
  readonly #epoll = epollCreate();
  readonly #events = new Uint32Array(2 * 256);
  /** By token. */
  readonly #targets: (PollTarget | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #afterwards: () => void;
  readonly #watch: Watch;

  /** @param afterwards called when all that are ready have been told */
  constructor(afterwards: () => void) {
    this.#afterwards = afterwards;
    this.#watch = watch(this.#epoll, { readable: true }, () => this.run());
  }

  /**
   * @param events `EPOLL*`, edge-triggered
   * @returns a token to remove it by
   * @throws SystemError
   */
  add(fd: number, events: number, target: PollTarget): number {
    const token = this.#free.pop() ?? this.#targets.length;
    const result = epollControl(this.#epoll, EPOLL_CTL_ADD, fd, events | EPOLLET, token);
    if (result < 0) this.#free.push(token);
    check(result, 'epoll_ctl');
    this.#targets[token] = target;
    return token;
  }

  /** Is interested in other events from now on; those that are there already are told again. */
  change(fd: number, token: number, events: number): void {
    check(epollControl(this.#epoll, EPOLL_CTL_MOD, fd, events | EPOLLET, token), 'epoll_ctl');
  }

  /**
   * Must come before the descriptor is closed: a file that others hold open too would be told of for ever. An event that is on
   * its way may yet be told to who gets the token next, who finds nothing then.
   */
  remove(fd: number, token: number): void {
    epollControl(this.#epoll, EPOLL_CTL_DEL, fd, 0, 0);
    this.#targets[token] = undefined;
    this.#free.push(token);
  }

  /** Tells all that are ready now. The event loop calls it; a test may, too. */
  run(): void {
    const count = epollWait(this.#epoll, this.#events, 0);
    for (let index = 0; index < count; index++) {
      const token = this.#events[2 * index] as number;
      this.#targets[token]?.onReady(this.#events[2 * index + 1] as number);
    }
    this.#afterwards();
  }

  ref(): void {
    this.#watch.ref();
  }

  unref(): void {
    this.#watch.unref();
  }

  close(): void {
    this.#watch.close();
    close(this.#epoll);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
