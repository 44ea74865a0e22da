import { close, constants } from '@vm-tools/linux';
import { type RingError, VhostUserError } from '../errors.ts';
import type { PacketSwitch } from '../packets/packet-switch.ts';
import type { Poller } from '../poller.ts';
import { GuestMemory, type MemoryRegion } from '../virtio/guest-memory.ts';
import { Channel, type Message } from './channel.ts';
import {
  Feature,
  MAX_MEMORY_SLOTS,
  MAX_TABLE_REGIONS,
  NEEDS_REPLY,
  NO_DESCRIPTOR,
  ProtocolFeature,
  REGION_BYTES,
  Request,
  RING_INDEX_MASK,
} from './messages.ts';
import { Ring } from './ring.ts';

const FEATURES =
  Feature.version1 | Feature.indirectDescriptors | Feature.eventIndex | Feature.protocolFeatures;
const PROTOCOL_FEATURES =
  ProtocolFeature.multiqueue |
  ProtocolFeature.replyAck |
  ProtocolFeature.config |
  ProtocolFeature.configureMemSlots;
/** The event queue stays with the VMM. */
const RINGS = 2;
/** struct virtio_vsock_config: u64 guest_cid. */
const CONFIG_BYTES = 8;

export interface SessionOptions {
  readonly guestCid: number;
  readonly poller: Poller;
  readonly packets: PacketSwitch;
  /** The VMM went away, by itself or because of an error. */
  readonly onEnd: (error: VhostUserError | undefined) => void;
}

/** What one VMM asks of the device, from its connection to its end (QEMU, docs/interop/vhost-user.rst). */
export class Session {
  readonly #options: SessionOptions;
  readonly #channel: Channel;
  readonly #token: number;
  readonly #rings: readonly [rx: Ring, tx: Ring];
  #memory: GuestMemory | undefined;
  #features = 0n;
  #protocolFeatures = 0n;
  #isOpen = true;

  /** @param fd the VMM's socket, non-blocking; the session's from now on, also when this throws (SystemError) */
  constructor(fd: number, options: SessionOptions) {
    this.#options = options;
    const { poller } = options;
    this.#channel = new Channel(fd);
    this.#rings = [new Ring('rx', poller), new Ring('tx', poller)];
    try {
      this.#token = poller.add(fd, constants.EPOLLIN | constants.EPOLLRDHUP, {
        onReady: () => this.#onReady(),
      });
    } catch (error) {
      this.#channel.close();
      throw error;
    }
  }

  /** Tells the guest that a ring has something for it. */
  interrupt(ring: 0 | 1): void {
    this.#rings[ring].interrupt();
  }

  /** Tells the VMM that the guest has broken a ring; it runs again when the VMM has started it anew. */
  ringFailed({ ring }: RingError): void {
    const broken = this.#rings[ring === 'rx' ? 0 : 1];
    broken.stop();
    broken.reportError();
  }

  /** Stops the rings, resets all connections, unmaps the memory, closes all descriptors. Twice does no harm. */
  close(error?: VhostUserError): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { poller, packets, onEnd } = this.#options;
    packets.stop(0);
    packets.stop(1);
    packets.forget();
    for (const ring of this.#rings) ring.close();
    poller.remove(this.#channel.fd, this.#token);
    this.#channel.close();
    this.#memory?.unmap();
    for (const { fd } of this.#memory?.regions ?? []) close(fd);
    this.#memory = undefined;
    onEnd(error);
  }

  #onReady(): void {
    try {
      while (this.#isOpen) {
        const message = this.#channel.read();
        if (message === undefined) return;
        if (message === null) {
          this.close();
          return;
        }
        this.#answer(message);
      }
    } catch (error) {
      if (!(error instanceof VhostUserError)) throw error;
      this.close(error);
    }
  }

  #answer(message: Message): void {
    const kept = new Set<number>();
    let reply: Uint8Array | undefined;
    try {
      reply = this.#handle(message, (fd) => void kept.add(fd));
    } finally {
      for (const fd of message.descriptors) if (!kept.has(fd)) close(fd);
    }
    const acknowledges =
      (message.flags & NEEDS_REPLY) !== 0 && (this.#protocolFeatures & ProtocolFeature.replyAck) !== 0n;
    if (reply) this.#channel.reply(message.request, reply);
    else if (acknowledges) this.#channel.reply(message.request, u64(0n));
  }

  /** Does what a message says. @returns what is asked for @throws {VhostUserError} */
  #handle(message: Message, keep: (fd: number) => void): Uint8Array | undefined {
    const { request, payload } = message;
    switch (request) {
      case Request.getFeatures:
        return u64(FEATURES);
      case Request.setFeatures:
        this.#features = accepted(getU64(payload, 0), FEATURES, 'features');
        return undefined;
      case Request.getProtocolFeatures:
        return u64(PROTOCOL_FEATURES);
      case Request.setProtocolFeatures:
        this.#protocolFeatures = accepted(getU64(payload, 0), PROTOCOL_FEATURES, 'protocol features');
        return undefined;
      case Request.getQueueNum:
        return u64(BigInt(RINGS));
      case Request.getMaxMemSlots:
        return u64(BigInt(MAX_MEMORY_SLOTS));
      case Request.setOwner:
        return undefined;
      case Request.resetOwner:
        for (const ring of [0, 1] as const) this.#stopRing(ring);
        return undefined;
      case Request.getConfig:
        return this.#config(payload);
      case Request.setConfig:
        throw new VhostUserError('the configuration of a vsock device cannot be written');
      case Request.setMemTable:
      case Request.addMemReg:
      case Request.remMemReg:
        this.#changeMemory(message, keep);
        return undefined;
      default:
        return this.#handleRing(message, keep);
    }
  }

  #handleRing(
    { request, payload, descriptors }: Message,
    keep: (fd: number) => void,
  ): Uint8Array | undefined {
    const word = payload.byteLength >= 4 ? payload.getUint32(0, true) : 0;
    const isDescriptor =
      request === Request.setVringKick || request === Request.setVringCall || request === Request.setVringErr;
    const index = this.#ringIndex(request, isDescriptor ? word & RING_INDEX_MASK : word);
    const ring = this.#rings[index];
    const fd = isDescriptor && (word & NO_DESCRIPTOR) === 0 ? descriptors[0] : -1;
    if (fd === undefined) throw new VhostUserError(`message ${request} comes without its descriptor`);
    if (fd >= 0) keep(fd);
    switch (request) {
      case Request.setVringNum:
        ring.size = getU32(payload, 4);
        return undefined;
      case Request.setVringBase:
        ring.base = getU32(payload, 4);
        return undefined;
      case Request.setVringAddr:
        ring.places = {
          descriptors: exact(getU64(payload, 8)),
          used: exact(getU64(payload, 16)),
          available: exact(getU64(payload, 24)),
        };
        if (ring.queue) this.#startRing(index);
        return undefined;
      case Request.setVringKick:
        ring.setKick(fd);
        // Without protocol features there is no message that enables a ring.
        if ((this.#features & Feature.protocolFeatures) === 0n) ring.isEnabled = true;
        this.#startRing(index);
        return undefined;
      case Request.setVringCall:
        ring.setCall(fd);
        return undefined;
      case Request.setVringErr:
        ring.setError(fd);
        return undefined;
      case Request.setVringEnable:
        ring.isEnabled = getU32(payload, 4) !== 0;
        if (ring.isEnabled) this.#startRing(index);
        else this.#options.packets.stop(index);
        return undefined;
      case Request.getVringBase:
        return u32Pair(index, this.#stopRing(index));
      default:
        throw new VhostUserError(`message ${request} is not known`);
    }
  }

  #ringIndex(request: number, index: number): 0 | 1 {
    if (index === 0 || index === 1) return index;
    throw new VhostUserError(`message ${request} is about ring ${index}, of ${RINGS}`);
  }

  #startRing(index: 0 | 1): void {
    const ring = this.#rings[index];
    if (!ring.canRun || !this.#memory) return;
    // What the guest has not seen yet of the ring where it was.
    this.#options.packets.stop(index);
    const queue = ring.map(this.#memory, (this.#features & Feature.eventIndex) !== 0n);
    this.#options.packets.start(index, queue, this.#memory);
  }

  /** The VMM stops a ring when the guest is reset: connections do not outlive it. */
  #stopRing(index: 0 | 1): number {
    const { packets } = this.#options;
    packets.stop(index);
    packets.forget();
    return this.#rings[index].stop();
  }

  #config(payload: DataView): Uint8Array {
    const [offset, size] = [getU32(payload, 0), getU32(payload, 4)];
    const reply = new Uint8Array(
      payload.buffer.slice(payload.byteOffset, payload.byteOffset + payload.byteLength),
    );
    if (offset + size > CONFIG_BYTES || reply.length < 12 + size)
      throw new VhostUserError(
        `${size} bytes of configuration at ${offset} are asked for, of ${CONFIG_BYTES}`,
      );
    reply.set(u64(BigInt(this.#options.guestCid)).subarray(offset, offset + size), 12);
    return reply;
  }

  #changeMemory({ request, payload, descriptors }: Message, keep: (fd: number) => void): void {
    const old = this.#memory?.regions ?? [];
    let regions: MemoryRegion[];
    if (request === Request.setMemTable) regions = memoryTable(payload, descriptors);
    else if (request === Request.addMemReg) regions = [...old, regionAt(payload, 8, descriptors[0])];
    else {
      const gone = regionAt(payload, 8, -1);
      regions = old.filter(({ guestAddress }) => guestAddress !== gone.guestAddress);
      if (regions.length === old.length)
        throw new VhostUserError(`there is no memory region at guest address ${gone.guestAddress}`);
    }
    if (regions.length > MAX_MEMORY_SLOTS) throw new VhostUserError(`${regions.length} memory regions`);
    const memory = new GuestMemory(regions);
    for (const { fd } of regions) if (descriptors.includes(fd)) keep(fd);
    const before = this.#memory;
    // What the guest has not seen yet goes where it lay, also when one of them lies nowhere any more.
    for (const index of [0, 1] as const) this.#options.packets.stop(index);
    this.#memory = memory;
    try {
      // Rings that run lie elsewhere now.
      for (const index of [0, 1] as const) if (this.#rings[index].queue) this.#startRing(index);
    } finally {
      before?.unmap();
      for (const { fd } of old) if (!regions.some((region) => region.fd === fd)) close(fd);
    }
  }
}

function memoryTable(payload: DataView, descriptors: readonly number[]): MemoryRegion[] {
  const count = getU32(payload, 0);
  if (count > MAX_TABLE_REGIONS || descriptors.length !== count)
    throw new VhostUserError(`a memory table has ${count} regions and ${descriptors.length} descriptors`);
  return descriptors.map((fd, index) => regionAt(payload, 8 + REGION_BYTES * index, fd));
}

function regionAt(payload: DataView, at: number, fd: number | undefined): MemoryRegion {
  if (fd === undefined) throw new VhostUserError('a memory region comes without its descriptor');
  return {
    guestAddress: exact(getU64(payload, at)),
    size: exact(getU64(payload, at + 8)),
    userAddress: exact(getU64(payload, at + 16)),
    offset: exact(getU64(payload, at + 24)),
    fd,
  };
}

function getU32(payload: DataView, at: number): number {
  if (payload.byteLength < at + 4) throw new VhostUserError(`a message has only ${payload.byteLength} bytes`);
  return payload.getUint32(at, true);
}

function getU64(payload: DataView, at: number): bigint {
  if (payload.byteLength < at + 8) throw new VhostUserError(`a message has only ${payload.byteLength} bytes`);
  return payload.getBigUint64(at, true);
}

/** An address or a size as a number that is exact. */
function exact(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new VhostUserError(`${value} is no address`);
  return Number(value);
}

function accepted(wanted: bigint, offered: bigint, what: string): bigint {
  if ((wanted & ~offered) !== 0n)
    throw new VhostUserError(`${what} 0x${wanted.toString(16)} are wanted, of 0x${offered.toString(16)}`);
  return wanted;
}

function u64(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}

function u32Pair(first: number, second: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(first, second).buffer);
}
