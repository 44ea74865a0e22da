import type { Duplex } from 'node:stream';
import { type Command, encodeCommand, encodeFrame, FrameDecoder, FrameType } from './agent-protocol.ts';
import { GuestProcess } from './guest-process.ts';

/** Name of the virtio-serial port on which the agent serves. */
export const AGENT_PORT = 'org.vm-tools.agent';

/** A program could not be started in the guest: `errno` is Linux's number. */
export class AgentFailure extends Error {
  override readonly name = 'AgentFailure';
  readonly errno: number;

  constructor(payload: Buffer) {
    super(payload.toString('utf8', 4));
    this.errno = payload.readUInt32LE(0);
  }
}

/** The host's end of the agent in the guest. */
export class AgentClient {
  /** Resolves with the kernel's release when the guest is set up. */
  readonly ready: Promise<string>;
  readonly #port: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #processes = new Map<number, GuestProcess>();
  #onReady!: (release: string) => void;
  #nextId = 1;
  #ended: Error | undefined;

  constructor(port: Duplex) {
    this.#port = port;
    this.ready = new Promise((resolve) => {
      this.#onReady = resolve;
    });
    port.on('data', (chunk: Buffer) => {
      for (const { type, id, payload } of this.#decoder.push(chunk)) this.#receive(type, id, payload);
    });
  }

  spawn(command: Command): GuestProcess {
    const id = this.#nextId++;
    const process = new GuestProcess((type, payload) => this.#send(type, id, payload));
    if (this.#ended) process.fail(this.#ended);
    else {
      this.#processes.set(id, process);
      this.#send(FrameType.exec, id, encodeCommand(command));
    }
    return process;
  }

  powerOff(): void {
    this.#send(FrameType.powerOff, 0);
  }

  /** The guest has ended: so have all its programs. */
  end(error: Error): void {
    this.#ended ??= error;
    for (const process of this.#processes.values()) process.fail(this.#ended);
    this.#processes.clear();
  }

  #send(type: number, id: number, payload?: Uint8Array): void {
    if (!this.#ended && this.#port.writable) this.#port.write(encodeFrame(type, id, payload));
  }

  #receive(type: number, id: number, payload: Buffer): void {
    if (type === FrameType.ready) this.#onReady(payload.toString());
    const process = this.#processes.get(id);
    if (!process) return;
    if (type === FrameType.failed) process.fail(new AgentFailure(payload));
    else if (process.receive(type, payload)) return;
    this.#processes.delete(id);
  }
}
