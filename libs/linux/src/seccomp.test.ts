import { expect, test } from 'vitest';
import { constants } from './constants.ts';
import { Errno } from './errno.ts';
import { type SeccompRule, seccompProgram } from './seccomp.ts';
import { type SystemCallName, systemCalls } from './system-calls.ts';

/** What the kernel would do with a call: the few instructions of classic BPF that filters are made of. */
function verdict(program: Uint8Array, call: SystemCallName | number, ...args: readonly number[]): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, typeof call === 'number' ? call : systemCalls[call], true);
  data.setUint32(4, constants.NATIVE_AUDIT_ARCH, true);
  for (const [index, value] of args.entries()) data.setUint32(16 + 8 * index, value, true);
  return run(program, data);
}

function run(program: Uint8Array, data: DataView): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const [op, k] = [code.getUint16(at, true), code.getUint32(at + 4, true)];
    const jump = (isTrue: boolean) => {
      at += 8 * code.getUint8(at + (isTrue ? 2 : 3));
    };
    if (op === 0x20) accumulator = data.getUint32(k, true);
    else if (op === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (op === 0x15) jump(accumulator === k);
    else if (op === 0x25) jump(accumulator > k);
    else if (op === 0x06) return k;
    else throw new Error(`no such instruction: ${op}`);
  }
  throw new Error('the program has no end');
}

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const fails = (errno: number) => 0x50000 + errno;
const refused = { errno: Errno.EPERM };

test('the first rule that fits decides, and otherwise what was said', () => {
  const rules: SeccompRule[] = [
    { calls: ['socket'], when: { argument: 0, is: 1 }, action: 'allow' },
    { calls: ['socket', 'ptrace'], action: refused },
    { calls: ['reboot'], action: 'kill' },
  ];
  const program = seccompProgram(rules, { otherwise: 'allow' });
  expect(verdict(program, 'socket', 1)).toBe(ALLOW);
  expect(verdict(program, 'socket', 2)).toBe(fails(Errno.EPERM));
  expect(verdict(program, 'ptrace')).toBe(fails(Errno.EPERM));
  expect(verdict(program, 'reboot')).toBe(KILL);
  expect(verdict(program, 'mount')).toBe(ALLOW);
  expect(verdict(seccompProgram(rules, { otherwise: refused }), 'mount')).toBe(fails(Errno.EPERM));
});

test('conditions look at one argument, at some of its bits, and leave the number for further rules', () => {
  const { CLONE_THREAD, CLONE_NEWUSER } = constants;
  const rules: SeccompRule[] = [
    { calls: ['clone'], when: { argument: 0, mask: CLONE_THREAD, is: 0 }, action: refused },
    { calls: ['clone'], when: { argument: 0, mask: CLONE_NEWUSER, isNot: 0 }, action: { errno: 1234 } },
    { calls: ['kill'], when: { argument: 0, isNot: 77 }, action: refused },
    { calls: ['kill'], when: { argument: 1, is: 9 }, action: 'kill' },
  ];
  const program = seccompProgram(rules, { otherwise: 'allow' });
  expect(verdict(program, 'clone', 17)).toBe(fails(Errno.EPERM));
  expect(verdict(program, 'clone', CLONE_THREAD | 17)).toBe(ALLOW);
  expect(verdict(program, 'clone', CLONE_THREAD | CLONE_NEWUSER)).toBe(fails(1234));
  expect(verdict(program, 'kill', 76, 0)).toBe(fails(Errno.EPERM));
  expect(verdict(program, 'kill', 77, 0)).toBe(ALLOW);
  expect(verdict(program, 'kill', 77, 9)).toBe(KILL);
});

test('calls beyond the highest number are treated as newer ones', () => {
  const unknown = { errno: Errno.ENOSYS };
  const program = seccompProgram([{ calls: ['socket'], action: refused }], {
    otherwise: 'allow',
    beyond: { highest: 469, action: unknown },
  });
  expect(verdict(program, 469)).toBe(ALLOW);
  expect(verdict(program, 470)).toBe(fails(Errno.ENOSYS));
  // The bit of x32 on x64.
  expect(verdict(program, 0x40000000 + systemCalls.socket)).toBe(fails(Errno.ENOSYS));
});

test('the numbers of another architecture end the process', () => {
  const program = seccompProgram([], { otherwise: 'allow' });
  expect(run(program, new DataView(new ArrayBuffer(64)))).toBe(KILL);
});
