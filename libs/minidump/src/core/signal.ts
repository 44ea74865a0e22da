import { viewOf } from '../record.ts';

/** The signal of a thread, of its siginfo_t. */
export interface Signal {
  readonly number: number;
  /** `si_code`: positive from the kernel, 0 and below from a process. */
  readonly code: number;
  /** What it is about, if it is about an address: the one that faulted, for one. */
  readonly address?: bigint;
  /** Who sent it, if a process did. */
  readonly sender?: { readonly pid: number; readonly uid: number };
}

const SIGSYS = 31;
/** SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV: their siginfo has the address; SIGSYS has that of the call. */
const WITH_ADDRESS = new Set([4, 5, 7, 8, 11, SIGSYS]);
/** The kernel sent it and says no more: a general protection fault, for one, which comes without its address. */
const SI_KERNEL = 0x80;
/** kill, sigqueue, tgkill */
const SENT = new Set([0, -1, -6]);

const names =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  );

/** `SIGSEGV` for 11; undefined for a number without a name. */
export function signalName(number: number): string | undefined {
  const name = names[number - 1];
  return name === undefined ? undefined : `SIG${name}`;
}

/** A signal of NT_SIGINFO; undefined when that is too short. */
export function signalOf(siginfo: Uint8Array, bits: 32 | 64): Signal | undefined {
  if (siginfo.length < 32) return undefined;
  const view = viewOf(siginfo);
  const number = view.getInt32(0, true);
  const code = view.getInt32(8, true);
  const fields = bits === 64 ? 16 : 12;
  if (code > 0 && code !== SI_KERNEL && WITH_ADDRESS.has(number)) {
    const address = bits === 64 ? view.getBigUint64(fields, true) : BigInt(view.getUint32(fields, true));
    return { number, code, address };
  }
  if (SENT.has(code)) {
    return {
      number,
      code,
      sender: { pid: view.getInt32(fields, true), uid: view.getUint32(fields + 4, true) },
    };
  }
  return { number, code };
}
