import type { CoreMemory } from '../core/memory.ts';
import type { Reading } from '../core/reading.ts';
import type { Segment } from '../core/segment.ts';
import type { CoreThread } from '../core/thread.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { MemoryRange } from '../dump/contents.ts';
import type { SoftErrors } from '../errors.ts';
import { viewOf } from '../record.ts';
import { Most } from './facts.ts';

/** Where a thread's stack is, as far as it is of use. */
export interface StackRange {
  readonly start: bigint;
  readonly size: number;
}

/** How far below the first memory of a stack its pointer may be: Linux keeps so much free below a stack that grows. */
const GUARD = 1n << 20n;
/** How much of a stack there is below a frame pointer, when nothing else is known: what the frame itself has. */
const FRAME = 4096n;
/** How much of a stack is searched for a signal frame. */
const SEARCHED = 1 << 16;
/** Stacks that were interrupted one within the other. */
const MAX_INTERRUPTED = 4;

/**
 * The memory from a stack pointer to the end of the stack. A pointer into a guard page, or just below a stack, has run over: then
 * from the first memory above it.
 * @param ceiling where the stack ends, if it lies below: the environment begins there
 */
export function stackRange(
  cpu: Cpu,
  memory: CoreMemory,
  sp: bigint,
  ceiling: bigint | undefined,
): StackRange | undefined {
  let segment = memory.segments.at(sp);
  if (!segment?.write) {
    segment = memory.segments.above(sp);
    while (segment && !segment.write && segment.start - sp <= GUARD)
      segment = memory.segments.above(segment.end);
    if (!segment?.write || segment.start - sp > GUARD) return undefined;
  }
  return upwards(segment, sp, BigInt(cpu.redZone), ceiling);
}

/** The same by a frame pointer: for a thread whose stack pointer was overwritten. */
export function stackByFrame(
  memory: CoreMemory,
  { framePointers }: CoreThread,
  ceiling: bigint | undefined,
): StackRange | undefined {
  for (const pointer of framePointers) {
    const segment = memory.segments.at(pointer);
    if (segment?.write) return upwards(segment, pointer, FRAME, ceiling);
  }
  return undefined;
}

/** From so many bytes below a pointer to the end of the segment, or of the stack. */
function upwards(segment: Segment, pointer: bigint, margin: bigint, ceiling: bigint | undefined): StackRange {
  const below = BigInt.asUintN(64, (pointer - margin) & ~15n);
  const start = below > segment.start && below <= pointer ? below : segment.start;
  const end = ceiling !== undefined && ceiling > start && ceiling < segment.end ? ceiling : segment.end;
  return { start, size: Math.min(Number(end - start), Most.range) };
}

/** How many bytes each of many gets of a sum: those who want little get it, the others alike. */
export function share(wanted: readonly number[], total: number): number[] {
  const shares = new Array<number>(wanted.length).fill(0);
  let left = total;
  const ascending = [...wanted.keys()].sort((a, b) => (wanted[a] as number) - (wanted[b] as number));
  for (const [done, index] of ascending.entries()) {
    const fair = Math.floor(left / (wanted.length - done) / 16) * 16;
    const gets = Math.min(wanted[index] as number, fair);
    shares[index] = gets;
    left -= gets;
  }
  return shares;
}

/** Bytes that may still be taken. */
export interface Allowance {
  left: number;
}

/** What was captured of a thread. */
export interface CapturedStack {
  stack: MemoryRange | undefined;
  /** Stacks that a signal interrupted, while its handler ran on another one. */
  readonly interrupted: MemoryRange[];
}

/** Captures a stack, and the stack that a signal handler on it has interrupted. */
export function* captureStack(
  { cpu, memory, errors }: { cpu: Cpu; memory: CoreMemory; errors: SoftErrors },
  thread: CoreThread,
  {
    range,
    size,
    ceiling,
    spare,
  }: {
    range: StackRange;
    size: number;
    ceiling: bigint | undefined;
    /** For interrupted stacks. */
    spare: Allowance;
  },
  captured: CapturedStack,
): Reading<void> {
  const stack = yield* capture(memory, range.start, size);
  if (!stack) {
    errors.add(
      'STACK_MISSING',
      `the stack of thread ${thread.tid}, at 0x${range.start.toString(16)}, is not in the core`,
    );
    return;
  }
  captured.stack = stack;
  const addresses = {
    writable: (address: bigint) =>
      memory.segments.at(address)?.write ?? stackRange(cpu, memory, address, ceiling) !== undefined,
    executable: (address: bigint) => memory.segments.at(address)?.execute ?? false,
  };
  let handler = stack;
  for (let depth = 0; depth < MAX_INTERRUPTED; depth++) {
    const searched = handler.bytes.subarray(0, SEARCHED);
    const frame = cpu.findSignalFrame(viewOf(searched), addresses);
    const next = frame && stackRange(cpu, memory, frame.sp, ceiling);
    if (!next || [stack, ...captured.interrupted].some((known) => contains(known, next.start))) return;
    const interrupted = yield* capture(memory, next.start, Math.min(next.size, spare.left));
    if (!interrupted) {
      errors.add(
        'STACK_MISSING',
        `the stack of thread ${thread.tid} that a signal interrupted, at 0x${next.start.toString(16)}, had flowed past or is not in the core`,
      );
      return;
    }
    spare.left -= interrupted.bytes.length;
    captured.interrupted.push(interrupted);
    handler = interrupted;
  }
}

function* capture(memory: CoreMemory, start: bigint, size: number): Reading<MemoryRange | undefined> {
  if (size <= 0) return undefined;
  const bytes = yield* memory.read(start, size);
  // A part of what is kept for others would keep all of it.
  return bytes.length > 0
    ? { start, bytes: bytes.byteLength < bytes.buffer.byteLength ? bytes.slice() : bytes }
    : undefined;
}

function contains({ start, bytes }: MemoryRange, address: bigint): boolean {
  return start <= address && address < start + BigInt(bytes.length);
}
