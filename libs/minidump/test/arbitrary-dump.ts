import fc from 'fast-check';
import type { DumpContents } from '../src/index.ts';

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const u32 = fc.nat({ max: 0xffffffff });
const u16 = fc.nat({ max: 0xffff });
const bytes = fc.uint8Array({ maxLength: 64 });
/** Lone surrogates, too: UTF-16 in a dump may hold any unit. */
const text = fc
  .array(fc.nat({ max: 0xffff }), { maxLength: 20 })
  .map((units) => String.fromCharCode(...units));
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 });
const range = fc.record({ start: u64, bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }) });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const list = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 5 });

/** Contents of a minidump of a processor with 64 bits, everything in it. */
export const arbitraryDump: fc.Arbitrary<Required<DumpContents>> = fc.record({
  time: u32,
  system: fc.record({
    processor: fc.constantFrom(9, 12),
    level: u16,
    revision: u16,
    processorCount: fc.nat({ max: 255 }),
    major: u32,
    minor: u32,
    build: u32,
    platform: u32,
    osVersion: text,
    cpu: fc.uint8Array({ minLength: 24, maxLength: 24 }),
  }),
  threads: list(fc.record({ tid: u32, context: bytes, stack: maybe(range) })),
  threadNames: list(fc.tuple(u32, text)).map((pairs) => new Map(pairs)),
  modules: list(
    fc.record({
      base: u64,
      size: u32,
      name: text,
      buildId: maybe(fc.uint8Array({ minLength: 1, maxLength: 32 })),
    }),
  ),
  memory: list(range),
  exception: fc.record({
    tid: u32,
    code: u32,
    flags: u32,
    address: u64,
    parameters: fc.array(u64, { maxLength: 15 }),
    context: bytes,
  }),
  memoryInfo: list(
    fc.record({
      base: u64,
      allocationBase: u64,
      size: u64,
      state: u32,
      allocationProtection: u32,
      protection: u32,
      type: u32,
    }),
  ),
  handles: list(fc.record({ handle: u64, type: text, name: text, access: u32 })),
  misc: fc.record({
    processId: maybe(u32),
    times: maybe(fc.record({ create: u32, user: u32, kernel: u32 })),
  }),
  linux: fc.record({
    cpuInfo: bytes,
    procStatus: bytes,
    lsbRelease: bytes,
    cmdLine: bytes,
    environ: bytes,
    auxv: bytes,
    maps: bytes,
  }),
  dsoDebug: fc.record({
    version: u32,
    brk: u64,
    ldbase: u64,
    dynamic: u64,
    dynamicBytes: bytes,
    linkMaps: list(fc.record({ address: u64, name: text, dynamic: u64 })),
  }),
  crashpad: fc.record({
    reportId: uuid,
    clientId: uuid,
    annotations: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })),
  }),
  softErrors: fc.array(fc.record({ code: fc.string(), message: fc.string() }), {
    minLength: 1,
    maxLength: 5,
  }),
});
