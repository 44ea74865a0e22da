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

  /** Use {@link CoreThread.of}. */
  private constructor(cpu: Cpu, prstatus: Uint8Array, count: number) {
    const { pid, registersAt } = cpu.prstatus;
    const view = viewOf(prstatus);
    this.#cpu = cpu;
    this.#registers = prstatus.slice(registersAt, registersAt + (count * cpu.bits) / 8);
    this.tid = view.getUint32(pid, true);
    this.currentSignal = view.getUint16(12, true);
  }

  /**
   * The thread of a NT_PRSTATUS. Of one that is too short (gdb writes those of its own machine for others) the registers that are
   * there; undefined when stack pointer and instruction pointer are not among them.
   */
  static of(cpu: Cpu, prstatus: Uint8Array): CoreThread | undefined {
    const { size, registersAt, registers } = cpu.prstatus;
    const width = cpu.bits / 8;
    const least = Math.max(registers.indexOf(cpu.sp), registers.indexOf(cpu.ip)) + 1;
    // What follows the registers is a word.
    const room = Math.floor((prstatus.length - registersAt) / width) - 1;
    const count = prstatus.length >= size ? registers.length : Math.min(room, registers.length);
    return count >= least ? new CoreThread(cpu, prstatus, count) : undefined;
  }

  /** By name, in the order of the note. */
  get registers(): Registers {
    const view = viewOf(this.#registers);
    const registers = this.#cpu.prstatus.registers.slice(0, (this.#registers.length * 8) / this.#cpu.bits);
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

  /** What may be its frame pointer. */
  get framePointers(): bigint[] {
    const { registers } = this;
    return this.#cpu.framePointers.flatMap((name) => registers.get(name) ?? []);
  }

  /** The thread's context as a minidump has it. */
  encodeContext(): Uint8Array {
    return this.#cpu.encodeContext(this.registers, this.float);
  }
}
