import { type Answer, type CallRecord, NOTE } from './place.ts';

/** A call, or one field of what was seen, that answered otherwise than on the guest's own file system. */
export interface Mismatch {
  readonly family: string;
  readonly call: string;
  /** Of what was seen; empty for the answer as a whole. */
  readonly field: string;
  readonly own: Answer | undefined;
  readonly p9: Answer | undefined;
}

/** A mismatch that is as it must be. */
export interface Difference {
  readonly family: string;
  readonly call: RegExp;
  readonly field?: string;
  /** What 9P answers: that, or what follows from the other answer. Left out: whatever follows from an earlier difference. */
  readonly p9?: Answer | ((own: Answer | undefined) => Answer | undefined);
  /** How many mismatches it explains, neither more nor less. */
  readonly times: number;
  readonly why: string;
}

/** How many calls there are of each family. */
export function countCalls(records: readonly CallRecord[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { family, call } of records) {
    if (!call.startsWith(NOTE)) counts.set(family, (counts.get(family) ?? 0) + 1);
  }
  return counts;
}

/** Pair by pair. Throws when the two made different calls. */
export function mismatches(own: readonly CallRecord[], p9: readonly CallRecord[]): Mismatch[] {
  const found: Mismatch[] = [];
  for (let i = 0; i < Math.max(own.length, p9.length); i++) {
    const [a, b] = [own[i], p9[i]];
    if (a === undefined || b === undefined || a.call !== b.call || a.family !== b.family) {
      throw new Error(`call ${i}: ${JSON.stringify(a)} here, ${JSON.stringify(b)} there`);
    }
    const { family, call } = a;
    if (isSeen(a.answer) && isSeen(b.answer)) {
      for (const field of Object.keys({ ...a.answer, ...b.answer })) {
        const [x, y] = [a.answer[field], b.answer[field]];
        if (!isEqual(x, y)) found.push({ family, call, field, own: x, p9: y });
      }
    } else if (!isEqual(a.answer, b.answer)) {
      found.push({ family, call, field: '', own: a.answer, p9: b.answer });
    }
  }
  return found;
}

/** Whether the difference is why the mismatch is. */
export function explains({ family, call, field, p9 }: Difference, mismatch: Mismatch): boolean {
  if (family !== mismatch.family || !call.test(mismatch.call)) return false;
  if (field !== undefined && field !== mismatch.field) return false;
  if (p9 === undefined) return true;
  return isEqual(typeof p9 === 'function' ? p9(mismatch.own) : p9, mismatch.p9);
}

function isSeen(answer: Answer): answer is { readonly [field: string]: Answer } {
  return typeof answer === 'object' && !Array.isArray(answer);
}

function isEqual(a: Answer | undefined, b: Answer | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
