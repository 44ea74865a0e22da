import { auxvOf, programTest } from '../core/core.ts';
import type { FileMapping } from '../core/file-mapping.ts';
import { type CoreHeaders, readHeaders } from '../core/headers.ts';
import type { Image } from '../core/image.ts';
import { type DsoDebug, readLinkMaps } from '../core/link-maps.ts';
import { CoreMemory } from '../core/memory.ts';
import {
  arrangeModules,
  candidatesOf,
  candidatesOfSegments,
  type Found,
  type Module,
  readModule,
  VDSO_NAME,
} from '../core/modules.ts';
import { type CoreNotes, readNotes } from '../core/notes.ts';
import type { Reading } from '../core/reading.ts';
import type { CoreThread } from '../core/thread.ts';
import type { MemoryRange } from '../dump/contents.ts';
import { Aux } from '../elf/elf.ts';
import { CoreError, type SoftError, SoftErrors } from '../errors.ts';
import { composeDump } from './compose.ts';
import { type ConvertOptions, DEFAULT_BUDGET, DEFAULT_KEEP, Most, type ProcessFacts } from './facts.ts';
import type { CoreInput } from './input.ts';
import { Instructions } from './instructions.ts';
import { retained } from './retention.ts';
import {
  type Allowance,
  type CapturedStack,
  captureStack,
  type StackRange,
  share,
  stackByFrame,
  stackRange,
} from './stacks.ts';
import { undumpedLibraries, undumpedProgram } from './undumped-modules.ts';

/** What came of a conversion. */
export interface Converted {
  /** The bytes of the dump, in pieces. */
  readonly chunks: readonly Uint8Array[];
  readonly summary: ConversionSummary;
}

export interface ConversionSummary {
  /** How many bytes of the core there were. */
  readonly coreSize: number;
  readonly dumpSize: number;
  readonly threads: number;
  readonly modules: number;
  /** 0: the process did not crash. */
  readonly signal: number;
  readonly softErrors: readonly SoftError[];
}

/** Everything that goes into a dump. */
export interface Collected {
  readonly headers: CoreHeaders;
  readonly notes: CoreNotes;
  readonly auxv: ReadonlyMap<bigint, bigint>;
  readonly mappings: readonly FileMapping[];
  /** One for each of the first threads. */
  readonly stacks: readonly CapturedStack[];
  readonly instructions: readonly MemoryRange[];
  readonly modules: readonly Module[];
  readonly dsoDebug: DsoDebug | undefined;
  readonly errors: SoftErrors;
}

/**
 * Makes a minidump of a core, which is read once, to its end.
 * @param onTurn called often; may throw to stop
 * @throws CoreError when there is no core, or not a single thread in it
 */
export async function convert(
  input: CoreInput,
  facts: ProcessFacts,
  options: ConvertOptions,
  onTurn: (coreSize: number) => void = () => undefined,
): Promise<Converted> {
  const errors = new SoftErrors();
  let end = 0;
  const turn = () => onTurn(end);
  try {
    const headers = await run(input, readHeaders(input.seekable, errors), turn);
    end = headers.end;
    const notes = await readAllNotes(input, headers, options, errors, turn);
    if (notes.threads.length === 0) {
      throw new CoreError(
        'ERR_CORE_NO_THREADS',
        'the core tells of no thread: it has been cut off, or is none of a process',
      );
    }
    const collected = await new Collector(input, headers, notes, facts, options, errors).collect(turn);
    await input.drain(turn);
    if (input.position < end) {
      errors.add('CORE_TRUNCATED', `the core ends after ${input.position} of ${end} bytes`);
    }
    return composeDump(collected, facts, options, input.position);
  } catch (error) {
    // Whoever writes the core waits for it to be read.
    if (error instanceof CoreError) await input.drain(turn);
    throw error;
  }
}

async function run<T>(input: CoreInput, reading: Reading<T>, turn: () => void): Promise<T> {
  let result: { value: T } | undefined;
  input.start(reading, (value) => {
    result = { value };
  });
  await input.run(turn);
  return (result as { value: T }).value;
}

/** Notes that lie behind the memory, where gdb writes them, come when it has flowed past: what fits is kept meanwhile. */
async function readAllNotes(
  input: CoreInput,
  headers: CoreHeaders,
  { keep = DEFAULT_KEEP }: ConvertOptions,
  errors: SoftErrors,
  turn: () => void,
): Promise<CoreNotes> {
  const firstMemory = headers.segments.list.reduce(
    (first, { offset, fileSize }) => (fileSize > 0 ? Math.min(first, offset) : first),
    Number.POSITIVE_INFINITY,
  );
  if (!input.seekable && headers.notes.some(({ offset }) => offset > firstMemory)) {
    for (const ask of retained(headers, undefined, keep)) input.retain(ask);
    errors.add(
      'NOTES_LAST',
      `the core has its notes behind the memory, which had flowed past when they came; ${keep} bytes of it were kept. Convert it from a file to get all`,
    );
  }
  return await run(input, readNotes(headers.cpu, headers.notes, errors), turn);
}

class Collector {
  readonly #input: CoreInput;
  readonly #headers: CoreHeaders;
  readonly #notes: CoreNotes;
  readonly #facts: ProcessFacts;
  readonly #options: ConvertOptions;
  readonly #errors: SoftErrors;
  readonly #memory: CoreMemory;
  readonly #auxv: ReadonlyMap<bigint, bigint>;
  readonly #stacks: CapturedStack[] = [];
  readonly #found: Found[] = [];
  #dsoDebug: DsoDebug | undefined;

  constructor(
    input: CoreInput,
    headers: CoreHeaders,
    notes: CoreNotes,
    facts: ProcessFacts,
    options: ConvertOptions,
    errors: SoftErrors,
  ) {
    this.#input = input;
    this.#headers = headers;
    this.#notes = notes;
    this.#facts = facts;
    this.#options = options;
    this.#errors = errors;
    this.#memory = new CoreMemory(headers.segments, facts.readMemory);
    this.#auxv = auxvOf(headers.cpu, notes.auxv ?? facts.files?.auxv);
  }

  async collect(turn: () => void): Promise<Collected> {
    const mappings = this.#notes.files ?? this.#facts.mappings ?? [];
    for (const ask of retained(this.#headers, this.#notes, this.#options.keep ?? DEFAULT_KEEP)) {
      this.#input.retain(ask);
    }
    this.#startStacks();
    this.#startModules(mappings);
    const instructions = new Instructions(this.#notes.threads, this.#memory);
    for (const reading of instructions.readings()) this.#input.start(reading, () => undefined);
    let programName: string | undefined;
    this.#input.start(this.#memory.readText(this.#auxv.get(Aux.execName) ?? 0n), (text) => {
      programName = text;
    });
    await this.#input.run(turn);
    if (mappings.length === 0) await this.#findUndumped(programName, turn);
    const isProgram = programTest(this.#auxv);
    const found = mappings.length > 0 ? this.#found : this.#named(programName, isProgram);
    const modules = arrangeModules(found, ({ base, size }) => isProgram(base, base + BigInt(size)));
    instructions.fromFiles(this.#headers.cpu, mappings, modules, this.#facts.openFile);
    return {
      headers: this.#headers,
      notes: this.#notes,
      auxv: this.#auxv,
      mappings,
      stacks: this.#stacks,
      instructions: instructions.ranges,
      modules,
      dsoDebug: this.#dsoDebug,
      errors: this.#errors,
    };
  }

  #startStacks(): void {
    const { cpu } = this.#headers;
    const { threads: all } = this.#notes;
    const threads = all.slice(0, Most.threads);
    if (all.length > threads.length) {
      this.#errors.add(
        'THREADS_LEFT_OUT',
        `of ${all.length} threads the first ${Most.threads} are in the dump`,
      );
    }
    const ceiling = this.#options.environ ? undefined : this.#auxv.get(Aux.random);
    const ranges = threads.map((thread) => this.#stackOf(thread, ceiling));
    const third = Math.floor((this.#options.budget ?? DEFAULT_BUDGET) / 3);
    const [first, ...others] = ranges.map((range) => range?.size ?? 0);
    const sizes = [Math.min(first ?? 0, third), ...share(others, third)];
    const spareOfFirst: Allowance = { left: third };
    const spare: Allowance = { left: third - sizes.slice(1).reduce((sum, size) => sum + size, 0) };
    let cut = 0;
    for (const [index, thread] of threads.entries()) {
      const captured: CapturedStack = { stack: undefined, interrupted: [] };
      this.#stacks.push(captured);
      const range = ranges[index];
      const size = sizes[index] as number;
      if (!range) continue;
      if (size < range.size) cut++;
      const context = { cpu, memory: this.#memory, errors: this.#errors };
      const how = { range, size, ceiling, spare: index === 0 ? spareOfFirst : spare };
      this.#input.start(captureStack(context, thread, how, captured), () => undefined);
    }
    if (cut > 0) {
      this.#errors.add('STACKS_CUT', `${cut} stacks are not whole: the budget is ${3 * third} bytes`);
    }
  }

  #stackOf(thread: CoreThread, ceiling: bigint | undefined): StackRange | undefined {
    const range = stackRange(this.#headers.cpu, this.#memory, thread.sp, ceiling);
    if (range) return range;
    const byFrame = stackByFrame(this.#memory, thread, ceiling);
    const problem = `the stack pointer of thread ${thread.tid}, 0x${thread.sp.toString(16)}, leads to no stack`;
    if (byFrame) this.#errors.add('STACK_POINTER', `${problem}: it was found by the frame pointer`);
    else this.#errors.add('STACK_MISSING', problem);
    return byFrame;
  }

  /** Modules whose headers the core has not: those of qemu-user. */
  async #findUndumped(programName: string | undefined, turn: () => void): Promise<void> {
    const { cpu, segments } = this.#headers;
    const known = { cpu, segments, auxv: this.#auxv, openFile: this.#facts.openFile, errors: this.#errors };
    if (!this.#dsoDebug) {
      const program = undumpedProgram(known, programName ?? this.#notes.process?.name);
      if (!program || this.#found.some(({ base }) => base === program.base)) return;
      this.#found.push(program);
      if (program.image) this.#startLinkMaps(program.image);
      await this.#input.run(turn);
    }
    this.#found.push(...undumpedLibraries(known, this.#found, this.#dsoDebug));
  }

  /** Modules of a core that tells of no files: the dynamic linker knows their names. */
  #named(programName: string | undefined, isProgram: (start: bigint, end: bigint) => boolean): Found[] {
    const names = new Map(this.#dsoDebug?.linkMaps.map(({ address, name }) => [address, name]));
    return this.#found.map((module) => {
      const program = isProgram(module.base, module.base + BigInt(module.size));
      const own = module.base === this.#auxv.get(Aux.vdso) ? VDSO_NAME : undefined;
      const name = program
        ? (programName ?? this.#notes.process?.name)
        : own || (module.image && names.get(module.image.bias));
      return { ...module, name: name || module.name };
    });
  }

  #startModules(mappings: readonly FileMapping[]): void {
    const { cpu } = this.#headers;
    const vdso = this.#auxv.get(Aux.vdso);
    const isProgram = programTest(this.#auxv);
    const candidates =
      mappings.length > 0 ? candidatesOf(mappings, vdso, this.#errors) : candidatesOfSegments(this.#memory);
    let programFound = false;
    for (const candidate of candidates) {
      const program = isProgram(candidate.base, candidate.end);
      const reading = readModule(cpu, candidate, this.#memory, {
        openFile: this.#facts.openFile,
        isProgram: program,
        errors: this.#errors,
      });
      this.#input.start(reading, (module) => {
        if (module) this.#found.push(module);
        if (!program || !module?.image || programFound) return;
        programFound = true;
        this.#startLinkMaps(module.image);
      });
    }
  }

  #startLinkMaps(program: Image): void {
    const { cpu } = this.#headers;
    this.#input.start(readLinkMaps(cpu, program, this.#memory, this.#errors), (dsoDebug) => {
      this.#dsoDebug = dsoDebug;
    });
  }
}
