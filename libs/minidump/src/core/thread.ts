import type { Cpu, FloatNotes, Registers } from '../cpu/cpu.ts';
import { viewOf } from '../record.ts';
import type { Signal } from './signal.ts';

/** A thread of a core: what NT_PRSTATUS and the notes behind it say. */
export class CoreThread {
  readonly tid: number;
  /** The signal that it got, 0 if none (`pr_cursig`). */
  readonly currentSignal: number;
  signal: Signal | undefined;
  /** The floating-point and vector notes. */
  float: { -readonly [K in keyof FloatNotes]: FloatNotes[K] } = {};
  readonly #cpu: Cpu;
  readonly #registers: Uint8Array;

  /** @param prstatus at least as long as the processor's */
  constructor(cpu: Cpu, prstatus: Uint8Array) {
    const { pid, registersAt, registers } = cpu.prstatus;
    const view = viewOf(prstatus);
    this.#cpu = cpu;
    this.#registers = prstatus.slice(registersAt, registersAt + (registers.length * cpu.bits) / 8);
    this.tid = view.getUint32(pid, true);
    this.currentSignal = view.getUint16(12, true);
  }

  /** By name, in the order of the note. */
  get registers(): Registers {
    const view = viewOf(this.#registers);
    const { registers } = this.#cpu.prstatus;
    return new Map(
      registers.map((name, index) => [
        name,
        this.#cpu.bits === 64 ? view.getBigUint64(index * 8, true) : BigInt(view.getUint32(index * 4, true)),
      ]),
    );
  }

  get sp(): bigint {
    return this.registers.get(this.#cpu.sp) as bigint;
  }

  get ip(): bigint {
    return this.registers.get(this.#cpu.ip) as bigint;
  }

  /** The thread's context as a minidump has it. */
  encodeContext(): Uint8Array {
    return this.#cpu.encodeContext(this.registers, this.float);
  }
}
