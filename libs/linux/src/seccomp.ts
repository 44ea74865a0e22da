import { hot } from './addon.ts';
import { constants } from './constants.ts';
import { check } from './error.ts';
import { type SystemCallName, systemCalls } from './system-calls.ts';

const setFilter = hot<(program: Uint8Array, flags: number) => number>('seccompFilter');

/** What becomes of a call: it is made, it fails with that error number, or the process is killed. */
export type SeccompAction = 'allow' | 'kill' | { readonly errno: number };

/** On the lower 32 bits of one argument: all there is of an `int`. What a pointer points to cannot be seen. */
export type SeccompCondition = {
  /** From 0. */
  readonly argument: number;
  /** The bits that count; default all 32. */
  readonly mask?: number;
} & ({ readonly is: number } | { readonly isNot: number });

export interface SeccompRule {
  /** Those that the architecture does not have are left out. */
  readonly calls: readonly SystemCallName[];
  /** Default: always. */
  readonly when?: SeccompCondition;
  readonly action: SeccompAction;
}

export interface SeccompOptions {
  /** For calls that no rule is for. */
  readonly otherwise: SeccompAction;
  /** For calls with a number above `highest`: those that are newer than the rules. */
  readonly beyond?: { readonly highest: number; readonly action: SeccompAction };
}

// include/uapi/linux/bpf_common.h
const Op = { load: 0x20, and: 0x54, ifEqual: 0x15, ifAbove: 0x25, end: 0x06 } as const;

// struct seccomp_data of include/uapi/linux/seccomp.h
const NUMBER = 0;
const ARCHITECTURE = 4;
const ARGUMENTS = 16;

type Instruction = readonly [code: number, jumpIfTrue: number, jumpIfFalse: number, k: number];

/**
 * A filter for {@link seccompFilter}. The first rule that fits decides. A call of another architecture's numbers kills the process.
 * @throws RangeError on an architecture for which no calls are known (it has no {@link constants}.NATIVE_AUDIT_ARCH)
 */
export function seccompProgram(rules: readonly SeccompRule[], options: SeccompOptions): Uint8Array {
  if (constants.NATIVE_AUDIT_ARCH === 0)
    throw new RangeError(`no system calls are known for ${process.arch}`);
  const { otherwise, beyond } = options;
  const program: Instruction[] = [
    [Op.load, 0, 0, ARCHITECTURE],
    [Op.ifEqual, 1, 0, constants.NATIVE_AUDIT_ARCH],
    end('kill'),
    [Op.load, 0, 0, NUMBER],
  ];
  if (beyond) program.push([Op.ifAbove, 0, 1, beyond.highest], end(beyond.action));
  for (const rule of rules) {
    for (const name of rule.calls) {
      const number = systemCalls[name];
      if (number < 0) continue;
      const body = rule.when ? ifFits(rule.when, rule.action) : [end(rule.action)];
      program.push([Op.ifEqual, 0, body.length, number], ...body);
    }
  }
  program.push(end(otherwise));
  return encoded(program);
}

/** Ends with the action, or goes on with the number of the call loaded again. */
function ifFits(condition: SeccompCondition, action: SeccompAction): Instruction[] {
  const { argument, mask } = condition;
  const [value, onEqual, onOther] = 'is' in condition ? [condition.is, 0, 1] : [condition.isNot, 1, 0];
  return [
    [Op.load, 0, 0, ARGUMENTS + 8 * argument],
    ...(mask === undefined ? [] : [[Op.and, 0, 0, mask] as const]),
    [Op.ifEqual, onEqual, onOther, value],
    end(action),
    [Op.load, 0, 0, NUMBER],
  ];
}

/** SECCOMP_RET_* */
function end(action: SeccompAction): Instruction {
  const value = action === 'allow' ? 0x7fff0000 : action === 'kill' ? 0x80000000 : 0x50000 | action.errno;
  return [Op.end, 0, 0, value];
}

/** struct sock_filter of include/uapi/linux/filter.h, in the byte order of all machines that Node runs on with this addon. */
function encoded(program: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * program.length));
  for (const [index, [code, jumpIfTrue, jumpIfFalse, k]] of program.entries()) {
    view.setUint16(8 * index, code, true);
    view.setUint8(8 * index + 2, jumpIfTrue);
    view.setUint8(8 * index + 3, jumpIfFalse);
    view.setUint32(8 * index + 4, k, true);
  }
  return new Uint8Array(view.buffer);
}

/**
 * Puts the calling thread, or with `allThreads` every thread of the process, under a filter for good, and whatever they start or execute
 * (seccomp(2), SECCOMP_SET_MODE_FILTER). Needs {@link noNewPrivileges}, or CAP_SYS_ADMIN; all threads get that, too.
 * @throws SystemError ESRCH: a thread has a filter that this one does not have, and nothing was changed; EINVAL: no filters in this
 *   kernel, or no program
 */
export function seccompFilter(
  program: Uint8Array,
  { allThreads = false }: { readonly allThreads?: boolean } = {},
): void {
  const TSYNC = 1;
  check(setFilter(program, allThreads ? TSYNC : 0), 'seccomp');
}
