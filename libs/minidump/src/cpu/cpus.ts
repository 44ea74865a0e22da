import { aarch64 } from './aarch64.ts';
import { arm } from './arm.ts';
import type { Cpu } from './cpu.ts';
import { i386 } from './i386.ts';
import { riscv64 } from './riscv64.ts';
import { x86_64 } from './x86-64.ts';

/** The processors that are known here. */
export const cpus: readonly Cpu[] = [x86_64, i386, aarch64, arm, riscv64];

/** The processor of an ELF file; `bits` is its class. */
export function cpuOfElf(machine: number, bits: number): Cpu | undefined {
  return cpus.find((cpu) => cpu.machine === machine && cpu.bits === bits);
}

/** Breakpad's older number for ARM64, whose context differs from {@link aarch64}'s. */
export const PROCESSOR_ARM64_OLD = 0x8003;

/** The processor of a minidump's system info. */
export function cpuOfMinidump(processor: number): Cpu | undefined {
  return cpus.find((cpu) => cpu.processor === processor);
}
