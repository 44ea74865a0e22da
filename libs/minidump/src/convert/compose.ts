import { signalName } from '../core/signal.ts';
import type { DumpContents, DumpException, LinuxFiles, MemoryRange } from '../dump/contents.ts';
import { DUMP_REQUESTED, PLATFORM_LINUX } from '../dump/records.ts';
import { writeMinidump } from '../dump/write-minidump.ts';
import type { Collected, Converted } from './convert.ts';
import { mapsOf, memoryInfoOf } from './descriptions.ts';
import { type ConvertOptions, Most, type ProcessFacts } from './facts.ts';
import { sanitizeStack } from './sanitize.ts';
import type { CapturedStack } from './stacks.ts';

/** Makes a dump of what has been collected. */
export function composeDump(
  collected: Collected,
  facts: ProcessFacts,
  options: ConvertOptions,
  coreSize: number,
): Converted {
  const { headers, notes, errors } = collected;
  const { cpu, segments } = headers;
  const stacks = options.sanitize
    ? collected.stacks.map(
        ({ stack, interrupted }): CapturedStack => ({
          stack: stack && sanitizeStack(cpu, segments, stack),
          interrupted: interrupted.map((range) => sanitizeStack(cpu, segments, range)),
        }),
      )
    : collected.stacks;
  const threads = notes.threads.slice(0, stacks.length).map((thread, index) => ({
    tid: thread.tid,
    context: thread.encodeContext(),
    stack: stacks[index]?.stack,
  }));
  const modules = collected.modules.slice(0, Most.modules);
  if (collected.modules.length > modules.length) {
    errors.add(
      'MODULES_LEFT_OUT',
      `of ${collected.modules.length} modules the first ${Most.modules} are in the dump`,
    );
  }
  const tids = new Set(threads.map(({ tid }) => tid));
  const names = facts.threadNames && new Map([...facts.threadNames].filter(([tid]) => tids.has(tid)));
  const contents: DumpContents = {
    time: options.time ?? Math.floor(Date.now() / 1000),
    system: systemOf(cpu.processor, facts),
    threads,
    threadNames: names,
    modules,
    memory: memoryOf(stacks, collected.instructions),
    exception: exceptionOf(collected, threads[0]?.context ?? new Uint8Array(0)),
    memoryInfo: memoryInfoOf(segments, collected.mappings, modules),
    handles: facts.handles,
    misc: { processId: facts.pid ?? notes.process?.pid ?? notes.threads[0]?.tid, times: facts.times },
    linux: filesOf(collected, facts, options),
    dsoDebug: collected.dsoDebug,
    crashpad: annotationsOf(collected, options),
    softErrors: errors.toJSON(),
  };
  const chunks = writeMinidump(contents);
  return {
    chunks,
    summary: {
      coreSize,
      dumpSize: chunks.reduce((size, chunk) => size + chunk.length, 0),
      threads: threads.length,
      modules: modules.length,
      signal: signalOf(collected).number,
      softErrors: errors.toJSON(),
    },
  };
}

function systemOf(processor: number, { system }: ProcessFacts): DumpContents['system'] {
  return {
    level: 0,
    revision: 0,
    processorCount: 0,
    major: 0,
    minor: 0,
    build: 0,
    platform: PLATFORM_LINUX,
    osVersion: '',
    cpu: new Uint8Array(24),
    ...system,
    processor,
  };
}

/** The signal of the thread that crashed, as far as its siginfo or at least its status tells. */
function signalOf({ notes }: Collected): { number: number; code: number; address?: bigint } {
  const thread = notes.threads[0];
  return thread?.signal?.number ? thread.signal : { number: thread?.currentSignal ?? 0, code: 0 };
}

function exceptionOf(collected: Collected, context: Uint8Array): DumpException {
  const { number, code, address = 0n } = signalOf(collected);
  return {
    tid: collected.notes.threads[0]?.tid ?? 0,
    code: number === 0 ? DUMP_REQUESTED : number,
    flags: code >>> 0,
    address,
    parameters: [],
    context,
  };
}

/** Memory ascending and disjoint, as readers want it: what is there twice counts once. */
function memoryOf(stacks: readonly CapturedStack[], instructions: readonly MemoryRange[]): MemoryRange[] {
  const ofStacks = stacks.flatMap(({ stack, interrupted }) => (stack ? [stack, ...interrupted] : []));
  const all = [...ofStacks, ...instructions].slice(0, Most.ranges);
  const kept: MemoryRange[] = [];
  let end = 0n;
  for (const range of all.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    const overlap = end > range.start ? Number(end - range.start) : 0;
    if (overlap >= range.bytes.length) continue;
    kept.push(overlap === 0 ? range : { start: end, bytes: range.bytes.subarray(overlap) });
    end = range.start + BigInt(range.bytes.length);
  }
  return kept;
}

function filesOf(
  { headers, notes, mappings }: Collected,
  { files }: ProcessFacts,
  { environ }: ConvertOptions,
): LinuxFiles {
  const text = new TextEncoder();
  return {
    ...files,
    environ: environ ? files?.environ : undefined,
    auxv: notes.auxv ?? files?.auxv,
    maps: files?.maps ?? mapsOf(headers.segments, mappings),
    cmdLine: files?.cmdLine ?? (notes.process && text.encode(notes.process.arguments.replaceAll(' ', '\0'))),
  };
}

/** What the caller wants said, and who sent the signal if a process did. */
function annotationsOf(collected: Collected, options: ConvertOptions): DumpContents['crashpad'] {
  const { process, threads } = collected.notes;
  const signal = threads[0]?.signal;
  const name = signal && signalName(signal.number);
  const annotations: Record<string, string> = {
    ...(process && { process: process.name }),
    ...(name && { signal: name }),
    ...(signal?.sender && {
      signal_sender_pid: `${signal.sender.pid}`,
      signal_sender_uid: `${signal.sender.uid}`,
    }),
    ...options.annotations,
  };
  return { reportId: options.reportId ?? new Uint8Array(16), clientId: new Uint8Array(16), annotations };
}
