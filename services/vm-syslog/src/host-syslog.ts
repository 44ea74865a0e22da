import { setTimeout as delay } from 'node:timers/promises';
import { close, connect, constants, Errno, errnoCode, keptSocket, send } from '@vm-tools/linux';
import { type RecordFormat, vmSocketFormat } from '@vm-tools/syslog';
import type { NumberedBatch } from './vm-log.ts';

/** How long one batch may wait for a syslog that reads slowly, and how often it is asked. */
const PATIENCE_MS = 2000;
const POLL_MS = 5;

/** There is nobody who reads. */
export class NoSyslogError extends Error {
  override readonly name = 'NoSyslogError';
  readonly code = 'ERR_NO_SYSLOG';
}

/** The syslog of this host: a socket of datagrams, usually /dev/log. */
export class HostSyslog implements Disposable {
  /** Records that it did not take. */
  lost = 0;
  readonly #path: string;
  readonly #formats = new Map<number, RecordFormat>();
  #fd = -1;
  #buffer = Buffer.allocUnsafe(4096);

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Hands on the records of a VM, one datagram each.
   * @returns how many were not taken: it read too slowly, or ended in between
   * @throws NoSyslogError: it has taken none
   */
  async take(cid: number, batch: NumberedBatch): Promise<number> {
    const format = this.#formatOf(cid);
    const deadline = performance.now() + PATIENCE_MS;
    let sent = 0;
    let lost = 0;
    for (const record of batch.records()) {
      const most = format.overhead + 4 * (record.end - record.start);
      if (this.#buffer.length < most) this.#buffer = Buffer.allocUnsafe(2 * most);
      // Others use the buffer while this one waits.
      const datagram = Buffer.from(this.#buffer.subarray(0, format.write(record, this.#buffer, 0)));
      let result = this.#send(datagram);
      while (result === -Errno.EAGAIN && performance.now() < deadline) {
        await delay(POLL_MS);
        result = this.#send(datagram);
      }
      if (result >= 0) sent++;
      else if (sent === 0 && result !== -Errno.EMSGSIZE) {
        throw new NoSyslogError(`${this.#path} does not take messages: ${errnoCode(result)}`);
      } else lost++;
    }
    this.lost += lost;
    return lost;
  }

  close(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @returns a negative errno: it was not sent */
  #send(datagram: Buffer): number {
    const isFresh = this.#fd < 0;
    const opened = isFresh ? this.#open() : 0;
    if (opened < 0) return opened;
    const result = send(this.#fd, datagram, 0, datagram.length, 0);
    if (result >= 0 || result === -Errno.EAGAIN || result === -Errno.EMSGSIZE) return result;
    this.close();
    // Whoever read there may have started anew.
    return isFresh ? result : this.#send(datagram);
  }

  #open(): number {
    const fd = keptSocket(constants.AF_UNIX, constants.SOCK_DGRAM | constants.SOCK_NONBLOCK);
    try {
      connect(fd, { family: 'unix', path: this.#path });
    } catch (error) {
      close(fd);
      return (error as { errno: number }).errno;
    }
    this.#fd = fd;
    return 0;
  }

  #formatOf(cid: number): RecordFormat {
    const format = this.#formats.get(cid) ?? vmSocketFormat({ name: `VM(${cid})` });
    if (this.#formats.size >= 1024) this.#formats.clear();
    this.#formats.set(cid, format);
    return format;
  }
}
