import { readdirSync } from 'node:fs';
import { close, constants, recv, send } from '@vm-tools/linux';
import { type CoreEvents, type CoreOptions, DeviceCore } from '../src/device-core.ts';
import { type DriverOptions, GuestDriver } from './guest-driver.ts';

/** What the core has told, in its order. */
export type Told = { [E in keyof CoreEvents]: [E, ...CoreEvents[E]] }[keyof CoreEvents];

/** A core whose guest and VMM are played by a test, on this thread and step by step. */
export class CoreUnderTest implements Disposable {
  readonly core: DeviceCore;
  readonly guest: GuestDriver;
  readonly told: Told[] = [];
  readonly #sockets: number[] = [];

  constructor(
    options: Partial<CoreOptions> & Omit<DriverOptions, 'poll'> & { readonly start?: boolean } = {},
  ) {
    const {
      maxConnections = 64,
      connectTimeoutMs = 10_000,
      completionMs = 0,
      start = true,
      ...driver
    } = options;
    const guestCid = options.guestCid ?? 3;
    this.core = new DeviceCore(
      { guestCid, maxConnections, connectTimeoutMs, completionMs },
      (event, ...args) => {
        this.told.push([event, ...args] as unknown as Told);
      },
    );
    this.guest = new GuestDriver({ ...driver, guestCid, poll: () => this.core.poll() });
    this.core.attach(this.guest.frontEnd.deviceEnd);
    if (start) this.guest.start();
  }

  /** The events of a kind so far, which are told by microtasks. */
  async events<E extends keyof CoreEvents>(kind: E): Promise<CoreEvents[E][]> {
    await Promise.resolve();
    await Promise.resolve();
    return this.told.filter(([event]) => event === kind).map(([, ...args]) => args as CoreEvents[E]);
  }

  /** A connection of the guest to a port in process: the socket's end of the program. It is closed with the test. */
  async connect(guestPort = 1000, hostPort = 80, bufferSize?: number): Promise<number> {
    this.core.listen(hostPort);
    this.guest.offerBuffers(1);
    this.guest.connect(guestPort, hostPort, bufferSize);
    const fd = (await this.events('accepted')).at(-1)?.[1] as number;
    this.#sockets.push(fd);
    return fd;
  }

  /** Closes a program's end now. */
  hangUp(fd: number): void {
    this.#sockets.splice(this.#sockets.indexOf(fd), 1);
    close(fd);
    this.core.poll();
  }

  write(fd: number, data: Uint8Array | string): number {
    const bytes = Buffer.from(data as string);
    const sent = send(fd, bytes, 0, bytes.length, constants.MSG_DONTWAIT);
    this.core.poll();
    return sent;
  }

  /** All that there is to read: `end` when the end is behind it. */
  read(fd: number): { data: Buffer; end: boolean } {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.alloc(65536);
      const count = recv(fd, chunk, 0, chunk.length, constants.MSG_DONTWAIT);
      if (count <= 0) {
        this.core.poll();
        return { data: Buffer.concat(chunks), end: count === 0 };
      }
      chunks.push(chunk.subarray(0, count));
    }
  }

  /** The program's end is the test's to close from now on. */
  keep(fd: number): number {
    this.#sockets.push(fd);
    return fd;
  }

  [Symbol.dispose](): void {
    this.core.close();
    this.guest[Symbol.dispose]();
    for (const fd of this.#sockets.splice(0)) close(fd);
  }
}

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
