import { describe, expect, test } from 'vitest';
import { viewOf } from '../record.ts';
import type { CpuName } from './cpu.ts';
import { cpuOfElf, cpuOfMinidump, cpus } from './cpus.ts';

const cpu = (name: CpuName) => cpus.find((one) => one.name === name)!;
const anywhere = { writable: () => true, executable: () => true };

test('each processor is found by its numbers', () => {
  expect(cpuOfElf(62, 64)?.name).toBe('x86_64');
  expect(cpuOfElf(62, 32)).toBeUndefined(); // x32
  expect(cpuOfElf(243, 32)).toBeUndefined();
  for (const one of cpus) {
    expect(cpuOfElf(one.machine, one.bits)).toBe(one);
    expect(cpuOfMinidump(one.processor)).toBe(one);
  }
});

test.each([
  [
    'x86_64',
    1232,
    {
      flags: 48,
      mxcsr: 52,
      cs: 56,
      ss: 66,
      eflags: 68,
      rax: 120,
      rsp: 152,
      rip: 248,
      fxsave: 256,
      vectors: 768,
    },
  ],
  [
    'i386',
    716,
    { floatSave: 28, gs: 140, edi: 156, eax: 176, ebp: 180, eip: 184, esp: 196, ss: 200, extended: 204 },
  ],
  ['arm', 368, { r0: 4, sp: 56, pc: 64, cpsr: 68, fpscr: 72, doubles: 80, extra: 336 }],
  [
    'aarch64',
    912,
    {
      cpsr: 4,
      x0: 8,
      sp: 256,
      pc: 264,
      vectors: 272,
      fpcr: 784,
      fpsr: 788,
      breakpointValue: 824,
      watchpointValue: 896,
    },
  ],
  ['riscv64', 528, { version: 4, pc: 8, ra: 16, sp: 24, t6: 256, doubles: 264, fcsr: 520 }],
] as const)('the context of %s has %i bytes', (name, size, offsets) => {
  expect(cpu(name).context.size).toBe(size);
  expect(cpu(name).context.offsets).toMatchObject(offsets);
});

test.each(cpus.map(({ name }) => name))('the registers of %s come back out of its context', (name) => {
  const { prstatus, bits, encodeContext, decodeContext } = cpu(name);
  const registers = new Map(prstatus.registers.map((register, index) => [register, BigInt(index + 1)]));
  const wide = new Map([...registers].map(([register, value]) => [register, value << BigInt(bits - 8)]));
  for (const [register, value] of decodeContext(viewOf(encodeContext(registers, {})))) {
    expect([register, value]).toEqual([register, registers.get(register)]);
  }
  const decoded = decodeContext(viewOf(encodeContext(wide, {})));
  for (const register of [cpu(name).sp, cpu(name).ip]) expect(decoded.get(register)).toBe(wide.get(register));
});

describe('floating-point registers', () => {
  const bytes = (size: number) => Uint8Array.from({ length: size }, (_, index) => index % 251);
  const flagsAt = { x86_64: 48, i386: 0, arm: 0, aarch64: 0, riscv64: 0 };

  test.each([
    ['x86_64', { fpregset: bytes(512) }, 256, bytes(512)],
    ['x86_64', { xstate: bytes(512) }, 256, bytes(512)],
    ['i386', { fpregset: bytes(108) }, 28, bytes(108)],
    ['i386', { prxfpreg: bytes(512) }, 204, bytes(512)],
    ['arm', { vfp: bytes(260) }, 80, bytes(256)],
    ['aarch64', { fpregset: bytes(528) }, 272, bytes(512)],
    ['riscv64', { fpregset: bytes(264) }, 264, bytes(256)],
  ] as const)('of %s', (name, float, at, expected) => {
    const without = cpu(name).encodeContext(new Map(), {});
    const context = cpu(name).encodeContext(new Map(), float);
    expect(context.slice(at, at + expected.length)).toEqual(expected);
    expect(context[flagsAt[name]]).not.toBe(without[flagsAt[name]]);
  });

  test('of aarch64 with SVE are the low 128 bits of its vectors', () => {
    const vl = 32;
    const fpsrAt = Math.ceil((32 * vl + (17 * vl) / 8) / 16) * 16;
    const sve = new Uint8Array(16 + fpsrAt + 8);
    viewOf(sve).setUint16(8, vl, true);
    viewOf(sve).setUint16(12, 1, true);
    for (let n = 0; n < 32; n++) sve.fill(n + 1, 16 + n * vl, 16 + n * vl + 16);
    viewOf(sve).setUint32(16 + fpsrAt, 0x11111111, true);
    viewOf(sve).setUint32(16 + fpsrAt + 4, 0x22222222, true);
    const context = cpu('aarch64').encodeContext(new Map(), { sve });
    expect(context.slice(272, 784)).toEqual(
      Uint8Array.from({ length: 512 }, (_, index) => Math.floor(index / 16) + 1),
    );
    expect([viewOf(context).getUint32(784, true), viewOf(context).getUint32(788, true)]).toEqual([
      0x22222222, 0x11111111,
    ]);
    viewOf(sve).setUint16(8, 17, true); // no length of vectors
    expect(cpu('aarch64').encodeContext(new Map(), { sve })).toEqual(
      cpu('aarch64').encodeContext(new Map(), {}),
    );
  });

  test('that are cut off are left out', () => {
    for (const { encodeContext } of cpus) {
      const cut = { fpregset: bytes(100), vfp: bytes(259), xstate: bytes(511), sve: bytes(15) };
      expect(encodeContext(new Map(), cut)).toEqual(encodeContext(new Map(), {}));
    }
  });
});

describe('a signal frame', () => {
  const stack = () => viewOf(new Uint8Array(4096));

  test('of x86_64 is found among other words', () => {
    const view = stack();
    view.setUint16(1024 + 192, 0x33, true);
    view.setUint16(1024 + 198, 0x2b, true);
    view.setBigUint64(1024 + 8, 7n, true);
    view.setBigUint64(1024 + 168, 0x7ffe0000n, true);
    expect(cpu('x86_64').findSignalFrame(view, anywhere)).toEqual({ offset: 1024, sp: 0x7ffe0000n });
    expect(cpu('x86_64').findSignalFrame(view, { ...anywhere, writable: () => false })).toBeUndefined();
    view.setBigUint64(1024 + 8, 8n, true); // flags that the kernel never sets
    expect(cpu('x86_64').findSignalFrame(view, anywhere)).toBeUndefined();
  });

  test('of i386 has the stack pointer twice', () => {
    const view = stack();
    view.setUint32(512 + 60, 0x23, true);
    view.setUint32(512 + 72, 0x2b, true);
    view.setUint32(512 + 28, 0xffee0000, true);
    view.setUint32(512 + 68, 0xffee0000, true);
    expect(cpu('i386').findSignalFrame(view, anywhere)).toEqual({ offset: 512, sp: 0xffee0000n });
    view.setUint32(512 + 68, 0xffee0004, true);
    expect(cpu('i386').findSignalFrame(view, anywhere)).toBeUndefined();
  });

  test('of aarch64 begins its extensions with the vectors', () => {
    const view = stack();
    view.setUint32(256 + 464, 0x46508001, true);
    view.setUint32(256 + 468, 528, true);
    view.setBigUint64(256 + 432, 0xffff0000n, true);
    expect(cpu('aarch64').findSignalFrame(view, anywhere)).toEqual({ offset: 256, sp: 0xffff0000n });
  });

  test.each(['arm', 'riscv64'] as const)('of %s must lead to code', (name) => {
    const view = stack();
    if (name === 'arm') {
      view.setUint32(400 + 96, 0x10, true);
      view.setUint32(400 + 84, 0x8000, true);
      view.setUint32(400 + 92, 0x9000, true);
    } else {
      view.setBigUint64(400 + 192, 0x8000n, true);
      view.setBigUint64(400 + 176, 0x9000n, true);
    }
    const code = { writable: (at: bigint) => at === 0x8000n, executable: (at: bigint) => at === 0x9000n };
    expect(cpu(name).findSignalFrame(view, code)?.sp).toBe(0x8000n);
    expect(cpu(name).findSignalFrame(view, { ...code, executable: () => false })).toBeUndefined();
  });
});
