import type { SystemInfo } from '../dump/contents.ts';
import { PLATFORM_LINUX } from '../dump/records.ts';

/** What the kernel tells of the machine, as far as it is known. */
export function systemOf(
  cpuinfo: string | undefined,
  kernel: { readonly release: string; readonly version: string } | undefined,
): Omit<SystemInfo, 'processor'> {
  const [, major = 0, minor = 0, build = 0] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(kernel?.release ?? '') ?? [];
  const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(cpuinfo ?? '')?.[1];
  const number = (name: string) => Number(field(name) ?? 0) || 0;
  const cpu = new Uint8Array(24);
  cpu.set(new TextEncoder().encode(field('vendor_id') ?? '').subarray(0, 12));
  return {
    level: number('cpu family'),
    revision: ((number('model') << 8) | number('stepping')) & 0xffff,
    processorCount: Math.min((cpuinfo?.match(/^processor\s*:/gm) ?? []).length, 255),
    major: Number(major),
    minor: Number(minor),
    build: Number(build),
    platform: PLATFORM_LINUX,
    osVersion: kernel ? `Linux ${kernel.release} ${kernel.version}` : '',
    cpu,
  };
}
