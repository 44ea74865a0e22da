import type { CpuName } from '../cpu/cpu.ts';
import { cpus } from '../cpu/cpus.ts';
import type { DumpContents } from '../dump/contents.ts';
import { PLATFORM_LINUX } from '../dump/records.ts';
import { writeMinidump } from '../dump/write-minidump.ts';
import { concat } from '../record.ts';

/** The bytes of a minidump with those contents; of a processor, unless a system is among them. */
export function synthesizeMinidump(contents: DumpContents, cpu: CpuName = 'x86_64'): Uint8Array<ArrayBuffer> {
  const system = {
    processor: cpus.find(({ name }) => name === cpu)?.processor ?? 0,
    level: 0,
    revision: 0,
    processorCount: 1,
    major: 6,
    minor: 1,
    build: 0,
    platform: PLATFORM_LINUX,
    osVersion: 'Linux 6.1.0 #1 SMP',
    cpu: new Uint8Array(24),
  };
  return concat(writeMinidump({ system, ...contents }));
}
