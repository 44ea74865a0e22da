import { describe, expect, test } from 'vitest';
import { type ConvertCoreOptions, convertCore } from '../src/host/index.ts';
import { type Minidump, readMinidump } from '../src/index.ts';
import { viewOf } from '../src/record.ts';
import { type SyntheticCore, synthesizeCore } from '../src/synth/index.ts';
import { at, buildIds, imagePage, process, siginfo } from './program.ts';

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

/** Converts a core as bytes, and as a stream of pieces; both must give the same dump. */
async function dumpOf(core: SyntheticCore | Uint8Array, options: ConvertCoreOptions = {}): Promise<Minidump> {
  const bytes = core instanceof Uint8Array ? core : synthesizeCore(core);
  const given = { proc: {}, time: 1, ...options };
  const [anywhere, flowing]: [Uint8Array[], Uint8Array[]] = [[], []];
  await convertCore(bytes, (chunk) => anywhere.push(chunk), given);
  await convertCore(inChunks(bytes, 1000), (chunk) => flowing.push(chunk), given);
  expect(Buffer.concat(flowing).equals(Buffer.concat(anywhere))).toBe(true);
  return readMinidump(Buffer.concat(anywhere));
}

const codes = (dump: Minidump) => dump.softErrors.map(({ code }) => code);

describe('a process', () => {
  test('has its crash, threads and registers in the dump', async () => {
    const dump = await dumpOf(process());
    expect(dump.exception).toMatchObject({ tid: 100, code: 11, flags: 1, address: 0xdeadn });
    expect(dump.threads.map(({ tid }) => tid)).toEqual([100, 101]);
    expect(dump.registers(dump.exception!.context)?.get('rip')).toBe(at.program + 0x1010n);
    expect(dump.cpu).toBe('x86_64');
    expect(dump.misc?.processId).toBe(100);
    expect(codes(dump)).toEqual([]);
  });

  test('has its modules by their file names, the program first, with build-ids of their mapped headers', async () => {
    const { modules } = await dumpOf(process());
    expect(modules).toEqual([
      { base: at.program, size: 0x3000, name: '/bin/program', buildId: buildIds.program },
      { base: at.library, size: 0x3000, name: '/lib/libone.so', buildId: buildIds.library },
    ]);
  });

  test('has stacks from below the stack pointer up to the environment, and code around the instruction pointer', async () => {
    const dump = await dumpOf(process());
    const [first, second] = dump.threads;
    expect([first?.stack?.start, first?.stack?.bytes.length]).toEqual([at.stack + 0x780n, 0xe00 - 0x780]);
    expect([second?.stack?.start, second?.stack?.bytes.length]).toEqual([
      at.stackOfSecond + 0x80n,
      4096 - 0x80,
    ]);
    expect([...dump.readMemory(at.program + 0x1010n, 2)]).toEqual([0x90, 0x90]);
    const withEnviron = await dumpOf(process(), { environ: true });
    expect(withEnviron.threads[0]?.stack?.bytes.length).toBe(0x1000 - 0x780);
  });

  test('has the list of the dynamic linker, which lies in the heap and has flowed past', async () => {
    const { dsoDebug } = await dumpOf(process());
    expect(dsoDebug).toMatchObject({ version: 1, brk: 0x1234n, ldbase: 0x5678n, dynamic: at.data });
    expect(dsoDebug?.linkMaps.map(({ name }) => name)).toEqual(['', '/lib/libone.so']);
  });

  test('has its memory described, and maps as /proc would tell them', async () => {
    const dump = await dumpOf(process());
    expect(dump.memoryInfo).toHaveLength(8);
    expect(dump.memoryInfo[1]).toMatchObject({
      base: at.program + 0x1000n,
      protection: 0x20,
      type: 0x1000000,
    });
    expect(dump.memoryInfo[3]).toMatchObject({ base: at.heap, protection: 4, type: 0x20000 });
    const maps = new TextDecoder().decode(dump.linux.maps);
    expect(maps).toContain('00401000-00402000 r-xp 00001000 00:00 0 /bin/program\n');
    expect(maps.split('\n')).toHaveLength(9);
  });

  test('gives the dump what is known besides: names of threads, descriptors, annotations', async () => {
    const dump = await dumpOf(process(), {
      proc: {
        pid: 99,
        threadNames: new Map([
          [101, 'worker'],
          [7, 'of another time'],
        ]),
        handles: [{ handle: 3n, type: 'Socket', name: 'socket:[1]', access: 2 }],
        files: { environ: Uint8Array.of(65), cmdLine: Uint8Array.of(66, 0) },
      },
      annotations: { version: '1.2' },
    });
    expect([...dump.threadNames]).toEqual([[101, 'worker']]);
    expect(dump.handles).toEqual([{ handle: 3n, type: 'Socket', name: 'socket:[1]', access: 2 }]);
    expect(dump.misc?.processId).toBe(99);
    expect(dump.linux.environ).toBeUndefined();
    expect(dump.crashpad?.annotations).toEqual({ signal: 'SIGSEGV', version: '1.2' });
  });
});

test.each(['x86_64', 'i386', 'aarch64', 'arm', 'riscv64'] as const)(
  'a process of %s is converted',
  async (cpu) => {
    const [sp, ip] = { x86_64: ['rsp', 'rip'], i386: ['esp', 'eip'] }[cpu as string] ?? ['sp', 'pc'];
    const dump = await dumpOf({
      cpu,
      threads: [1, 2].map((tid) => ({ tid, signal: 11, registers: { [sp!]: 0x8100n, [ip!]: 0x9080n } })),
      segments: [
        { start: 0x8000n, bytes: new Uint8Array(4096).fill(1) },
        { start: 0x9000n, bytes: new Uint8Array(4096).fill(2), flags: 'r-x' },
      ],
      files: [{ start: 0x9000n, end: 0xa000n, page: 0n, path: '/bin/x' }],
    });
    expect(dump.cpu).toBe(cpu);
    expect(dump.threads.map(({ tid }) => tid)).toEqual([1, 2]);
    expect(dump.registers(dump.exception!.context)?.get(ip!)).toBe(0x9080n);
    expect([...dump.readMemory(0x8100n, 1), ...dump.readMemory(0x9080n, 1)]).toEqual([1, 2]);
  },
);

describe('a signal', () => {
  const crash = async (number: number, info: Uint8Array | undefined) => {
    const [thread] = process().threads!;
    const { siginfo: _, ...without } = thread!;
    return dumpOf(process({ threads: [{ ...without, signal: number, ...(info && { siginfo: info }) }] }));
  };

  test.each([
    ['of a process has no address, and tells who sent it', 11, siginfo(11, 0, (7n << 32n) | 4321n), 0n, 0],
    ['of sigqueue has none either', 11, siginfo(11, -1, (7n << 32n) | 4321n), 0n, -1],
    ['of a general protection fault comes without its address', 11, siginfo(11, 0x80, 0n), 0n, 0x80],
    ['of a bus error has its address', 7, siginfo(7, 2, 0x1000n), 0x1000n, 2],
    ['without siginfo has its number', 6, undefined, 0n, 0],
  ])('%s', async (_, number, info, address, code) => {
    const { exception, crashpad } = await crash(number, info);
    expect(exception).toMatchObject({ code: number, address, flags: code >>> 0 });
    expect(crashpad?.annotations['signal_sender_pid']).toBe(
      code === 0 && info ? '4321' : code === -1 ? '4321' : undefined,
    );
  });

  test('that there was none is said as readers know it', async () => {
    expect((await crash(0, undefined)).exception?.code).toBe(0xffffffff);
  });
});

describe('a stack', () => {
  const guarded = (sp: bigint): SyntheticCore => {
    const { segments = [], threads = [] } = process();
    const guard = { start: at.stack - 0x1000n, bytes: new Uint8Array(0), size: 0x1000n, flags: '---' };
    return process({
      segments: [...segments.slice(0, -1), guard, ...segments.slice(-1)],
      threads: [{ ...threads[0]!, registers: { rsp: sp } }],
    });
  };

  test.each([
    ['into its guard page', at.stack - 8n],
    ['to just below', at.stack - 0x2000n],
  ])('that has run over %s is there from its first page', async (_, sp) => {
    const dump = await dumpOf(guarded(sp));
    expect(dump.threads[0]?.stack?.start).toBe(at.stack);
    expect(codes(dump)).toEqual([]);
  });

  test('that a bad pointer leads to is none', async () => {
    const dump = await dumpOf(guarded(0x10n));
    expect(dump.threads[0]?.stack).toBeUndefined();
    expect(codes(dump)).toEqual(['STACK_MISSING']);
  });

  test('whose pointer leads nowhere is found by the frame pointer, with what that frame has', async () => {
    const core = guarded(0x10n);
    const [thread] = core.threads ?? [];
    const registers = { rsp: 0x10n, rbp: at.stack + 0x800n };
    const dump = await dumpOf({ ...core, threads: [{ ...thread!, registers }] });
    expect(dump.threads[0]?.stack?.start).toBe(at.stack);
    expect(codes(dump)).toEqual(['STACK_POINTER']);
  });

  test('that a signal interrupted is there besides the one of its handler, above and below it', async () => {
    for (const [handler, interrupted] of [
      [at.heap, at.stack],
      [at.stack, at.heap],
    ] as const) {
      const { segments = [], threads = [] } = process();
      const frame = new Uint8Array(4096);
      const view = viewOf(frame);
      view.setUint16(0x400 + 192, 0x33, true);
      view.setUint16(0x400 + 198, 0x2b, true);
      view.setBigUint64(0x400 + 168, interrupted + 0x200n, true);
      const dump = await dumpOf(
        process({
          auxv: [],
          threads: [{ ...threads[0]!, registers: { rsp: handler + 0x200n } }],
          segments: segments.map((segment) =>
            segment.start === handler ? { ...segment, bytes: frame } : segment,
          ),
        }),
      );
      expect(dump.readMemory(interrupted + 0x200n, 0x100)).toHaveLength(0x100);
      expect(dump.readMemory(handler + 0x400n, 0x100)).toHaveLength(0x100);
    }
  });

  test('is cut when all of them are more than the budget; small ones stay whole', async () => {
    const stacks = [0x100_0000n, 0x200_0000n, 0x300_0000n];
    const big = new Uint8Array(60_000);
    const dump = await dumpOf(
      {
        threads: stacks.map((start, index) => ({ tid: index + 1, signal: 6, registers: { rsp: start } })),
        segments: stacks.map((start, index) => ({ start, bytes: index === 2 ? big.subarray(0, 800) : big })),
      },
      { budget: 60_000 },
    );
    expect(dump.threads.map(({ stack }) => stack?.bytes.length)).toEqual([20_000, 19_200, 800]);
    expect(codes(dump)).toEqual(['STACKS_CUT']);
  });

  test('loses its secrets when it is sanitized, and keeps addresses and small numbers', async () => {
    const { segments = [], threads = [] } = process();
    const words = [0x1122334455667788n, at.heap + 8n, 42n, -3n, at.stack, 0x6563726573n];
    const bytes = new Uint8Array(BigUint64Array.from(words).buffer);
    const dump = await dumpOf(
      process({
        threads: [{ ...threads[0]!, registers: { rsp: at.stack } }],
        segments: [...segments.slice(0, -1), { start: at.stack, bytes }],
      }),
      { sanitize: true },
    );
    const kept = new BigUint64Array(dump.readMemory(at.stack, 48).slice().buffer);
    const blank = 0x0defaced_0defacedn;
    expect([...kept]).toEqual([blank, at.heap + 8n, 42n, 2n ** 64n - 3n, at.stack, blank]);
  });
});

describe('a core that is odd', () => {
  test('with notes that are unknown or malformed is converted, and they are told of', async () => {
    const dump = await dumpOf(
      process({
        notes: [
          { name: 'ALIEN', type: 77, bytes: new Uint8Array(5) },
          { name: 'CORE', type: 1, bytes: new Uint8Array(20) },
          { name: 'LINUX', type: 0x202, bytes: new Uint8Array(11008) },
          { name: 'LINUX', type: 0x205, bytes: new Uint8Array(96) },
        ],
      }),
    );
    expect(dump.threads).toHaveLength(2);
    expect(dump.softErrors.map(({ message }) => message)).toEqual([
      'NT_PRSTATUS has 20 bytes, expected 336',
      'a note that is not known here, 1 times: ALIEN 77',
    ]);
  });

  test('with a note that goes beyond all notes keeps what came before it', async () => {
    const bytes = synthesizeCore(process({ notes: [{ name: 'ALIEN', type: 1, bytes: new Uint8Array(8) }] }));
    const name = Buffer.from(bytes).indexOf('ALIEN');
    viewOf(bytes).setUint32(name - 8, 0x7fffffff, true);
    const dump = await dumpOf(bytes);
    expect(dump.threads).toHaveLength(2);
    expect(codes(dump)).toEqual(['NOTE_MALFORMED']);
  });

  test('with a thread twice has it once, for readers refuse such a list', async () => {
    const { threads = [] } = process();
    const dump = await dumpOf(process({ threads: [...threads, threads[0]!] }));
    expect(dump.threads.map(({ tid }) => tid)).toEqual([100, 101]);
    expect(codes(dump)).toEqual(['THREAD_TWICE']);
  });

  test('with its count of segments elsewhere has them all', async () => {
    const dump = await dumpOf(process());
    const extended = await dumpOf(process({ extended: true }));
    expect(extended.modules).toEqual(dump.modules);
    expect(extended.memory).toEqual(dump.memory);
  });

  test('with memory sorted by size, as core_sort_vma has it, loses nothing', async () => {
    const { segments = [] } = process();
    const sorted = [...segments].sort((a, b) => a.bytes.length - b.bytes.length);
    const [dump, other] = [await dumpOf(process()), await dumpOf(process({ segments: sorted.reverse() }))];
    expect(other.modules).toEqual(dump.modules);
    expect(other.memory).toEqual(dump.memory);
    expect(other.dsoDebug).toEqual(dump.dsoDebug);
  });

  test('with its notes last, as of gdb, is whole from a file, and says what a stream could not keep', async () => {
    const bytes = synthesizeCore(process({ layout: 'gcore' }));
    const whole: Uint8Array[] = [];
    await convertCore(bytes, (chunk) => whole.push(chunk), { proc: {}, time: 1 });
    const expected = await dumpOf(process());
    expect(readMinidump(Buffer.concat(whole)).memory).toEqual(expected.memory);

    const kept: Uint8Array[] = [];
    await convertCore(inChunks(bytes, 500), (chunk) => kept.push(chunk), { proc: {}, time: 1 });
    const flowing = readMinidump(Buffer.concat(kept));
    expect(flowing.modules).toEqual(expected.modules);
    expect(flowing.threads.map(({ stack }) => stack)).toEqual(expected.threads.map(({ stack }) => stack));
    expect(codes(flowing)).toEqual(['NOTES_LAST']);

    const little: Uint8Array[] = [];
    await convertCore(inChunks(bytes, 500), (chunk) => little.push(chunk), { proc: {}, time: 1, keep: 5000 });
    expect(codes(readMinidump(Buffer.concat(little)))).toContain('STACK_MISSING');
  });

  test('without a list of files has modules by what begins as an ELF file, named by the dynamic linker', async () => {
    const { files: _, ...core } = process();
    const dump = await dumpOf({ ...core, notes: [] });
    expect(dump.modules.map(({ base, name }) => [base, name])).toEqual([
      [at.program, ''],
      [at.library, '/lib/libone.so'],
    ]);
  });

  test('with a link map that leads back, or away, ends the list there', async () => {
    const { segments = [] } = process();
    for (const next of [at.heap + 0x100n, 0x666000n]) {
      const heap = segments[3]!.bytes.slice();
      viewOf(heap).setBigUint64(0x200 + 24, next, true);
      const dump = await dumpOf(process({ segments: segments.with(3, { start: at.heap, bytes: heap }) }));
      expect(dump.dsoDebug?.linkMaps).toHaveLength(2);
      expect(codes(dump)).toEqual(['LINK_MAPS']);
    }
  });

  test('with memory that overlaps, or goes beyond the last address, has the rest', async () => {
    const { segments = [] } = process();
    const overlapping = { start: at.heap + 0x1000n, bytes: new Uint8Array(3 * 4096) };
    const beyond = { start: 2n ** 64n - 0x1000n, bytes: new Uint8Array(16), size: 0x2000n };
    const dump = await dumpOf(process({ segments: [...segments, overlapping, beyond] }));
    expect(codes(dump).sort()).toEqual(['CORE_SEGMENT', 'CORE_SEGMENT']);
    expect(dump.memoryInfo).toHaveLength(8);
  });

  test('with memory that overlaps keeps the smaller piece: gdb makes nonsense of sections without a place', async () => {
    const { segments = [] } = process();
    const nonsense = { start: 0x3000n, bytes: new Uint8Array(16), size: 0x7fff00000000n };
    const dump = await dumpOf(process({ segments: [...segments, nonsense] }));
    expect(codes(dump)).toEqual(['CORE_SEGMENT']);
    expect(dump.modules).toHaveLength(2);
    expect(dump.memoryInfo).toHaveLength(8);
  });

  test('with registers that are cut off, as gdb writes them for other machines, has those that are there', async () => {
    const bytes = synthesizeCore({
      cpu: 'riscv64',
      threads: [{ tid: 1, registers: { pc: 0x1000n, sp: 0x2000n } }],
    });
    const status = new Uint8Array(336);
    status.set(bytes.subarray(bytes.length - 376, bytes.length - 40));
    const dump = await dumpOf({ cpu: 'riscv64', notes: [{ name: 'CORE', type: 1, bytes: status }] });
    expect(dump.registers(dump.threads[0]!.context)?.get('pc')).toBe(0x1000n);
    expect(dump.registers(dump.threads[0]!.context)?.get('sp')).toBe(0x2000n);
    expect(codes(dump)).toContain('NOTE_MALFORMED');
  });

  test('with files that are no programs has no modules of them; one of another processor is none either', async () => {
    const { files = [], segments = [] } = process();
    const [a, b] = [0x10000000n, 0x10002000n];
    const dump = await dumpOf(
      process({
        files: [
          ...files,
          { start: a, end: a + 0x1000n, page: 0n, path: '/usr/share/locale-archive' },
          { start: b, end: b + 0x1000n, page: 0n, path: '/lib/alien.so' },
        ],
        segments: [
          ...segments,
          { start: a, bytes: new Uint8Array(4096).fill(1), flags: 'r--' },
          { start: b, bytes: imagePage(buildIds.library, { machine: 183 }), flags: 'r-x' },
        ],
      }),
    );
    expect(dump.modules.map(({ name }) => name)).toEqual(['/bin/program', '/lib/libone.so']);
  });

  test('whose program is mapped without its headers has it still first', async () => {
    const { segments = [] } = process();
    const dump = await dumpOf(
      process({ segments: segments.with(0, { ...segments[0]!, bytes: new Uint8Array(0), size: 0x1000n }) }),
    );
    expect(dump.modules[0]).toMatchObject({ name: '/bin/program', base: at.program, buildId: undefined });
    expect(codes(dump)).toEqual(['MODULE_HEADERS']);
  });
});

describe('what is no core', () => {
  const change = (offset: number, value: number) => {
    const bytes = synthesizeCore(process());
    bytes[offset] = value;
    return bytes;
  };

  test.each([
    ['nothing', new Uint8Array(0), 'ERR_CORE_NOT_ELF'],
    ['other bytes', new TextEncoder().encode('this is a text and no core'), 'ERR_CORE_NOT_ELF'],
    ['a program', change(16, 2), 'ERR_CORE_NOT_CORE'],
    ['a core in big-endian', change(5, 2), 'ERR_CORE_MACHINE'],
    ['a core of another machine', change(18, 20), 'ERR_CORE_MACHINE'],
    ['a core with no headers', synthesizeCore(process()).subarray(0, 60), 'ERR_CORE_HEADERS'],
    ['a core without a thread', synthesizeCore(process({ threads: [] })), 'ERR_CORE_NO_THREADS'],
  ])('is refused: %s', async (_, bytes, code) => {
    const chunks: Uint8Array[] = [];
    let taken = 0;
    const stream = async function* () {
      for await (const chunk of inChunks(bytes, 64)) {
        taken += chunk.length;
        yield chunk;
      }
    };
    await expect(convertCore(stream(), (chunk) => chunks.push(chunk))).rejects.toMatchObject({ code });
    await expect(convertCore(bytes, (chunk) => chunks.push(chunk))).rejects.toMatchObject({ code });
    expect(chunks).toEqual([]);
    expect(taken).toBe(bytes.length);
  });
});

test('a core that is cut off anywhere has the threads and the stack bytes that were there', async () => {
  const core = synthesizeCore(process());
  const stackAt = core.length - 4096;
  let refused = 0;
  for (let size = 0; size < core.length; size += size < 4096 ? 1 : 61) {
    const chunks: Uint8Array[] = [];
    const cut = core.subarray(0, size);
    try {
      await convertCore(inChunks(cut, 4096), (chunk) => chunks.push(chunk), { proc: {}, time: 1 });
    } catch (error) {
      expect(error).toMatchObject({ name: 'CoreError' });
      expect(size).toBeLessThan(2000);
      refused++;
      continue;
    }
    const dump = readMinidump(Buffer.concat(chunks));
    expect(dump.threads.length).toBeGreaterThan(0);
    expect(codes(dump)).toContain('CORE_TRUNCATED');
    const stack = dump.threads[0]?.stack?.bytes.length ?? 0;
    expect(stack).toBe(Math.max(0, Math.min(size - stackAt - 0x780, 0xe00 - 0x780)));
  }
  expect(refused).toBeGreaterThan(500);
});

test('a conversion stops when it is told to, and tells how far it is', async () => {
  const controller = new AbortController();
  const core = synthesizeCore(process());
  const seen: number[] = [];
  const onProgress = ({ read, total }: { read: number; total: number }) => {
    seen.push(read);
    if (total > 0 && read > 5000) controller.abort(new Error('enough'));
  };
  const run = convertCore(inChunks(core, 256), () => undefined, {
    proc: {},
    signal: controller.signal,
    onProgress,
  });
  await expect(run).rejects.toThrow('enough');
  expect(seen.at(-1)).toBeLessThan(core.length);
  await expect(convertCore(core, () => undefined, { signal: controller.signal })).rejects.toThrow('enough');
});
