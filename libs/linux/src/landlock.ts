import { hot } from './addon.ts';
import { check } from './error.ts';

const createRuleset = hot<(attributes: Uint8Array, flags: number) => number>('landlockCreateRuleset');
const addRule =
  hot<(ruleset: number, type: number, attributes: Uint8Array, flags: number) => number>('landlockAddRule');
const restrictSelf = hot<(ruleset: number, flags: number) => number>('landlockRestrictSelf');

/** What can be done with files, of include/uapi/linux/landlock.h; all are of ABI 1 that say nothing else. */
export const LandlockFs = {
  EXECUTE: 1 << 0,
  WRITE_FILE: 1 << 1,
  READ_FILE: 1 << 2,
  READ_DIR: 1 << 3,
  REMOVE_DIR: 1 << 4,
  REMOVE_FILE: 1 << 5,
  MAKE_CHAR: 1 << 6,
  MAKE_DIR: 1 << 7,
  MAKE_REG: 1 << 8,
  MAKE_SOCK: 1 << 9,
  MAKE_FIFO: 1 << 10,
  MAKE_BLOCK: 1 << 11,
  MAKE_SYM: 1 << 12,
  /** ABI 2. A ruleset that does not handle it forbids links and renames between directories altogether. */
  REFER: 1 << 13,
  /** ABI 3 */
  TRUNCATE: 1 << 14,
  /** ABI 5 */
  IOCTL_DEV: 1 << 15,
} as const;

/** ABI 4 */
export const LandlockNet = { BIND_TCP: 1 << 0, CONNECT_TCP: 1 << 1 } as const;

/** ABI 6: what cannot be reached outside of the domain. */
export const LandlockScope = { ABSTRACT_UNIX_SOCKET: 1 << 0, SIGNAL: 1 << 1 } as const;

/** What a ruleset forbids unless one of its rules allows it; bits that the kernel does not know are refused (EINVAL, E2BIG). */
export interface LandlockRuleset {
  /** {@link LandlockFs} */
  readonly fs: number;
  /** {@link LandlockNet} */
  readonly net?: number;
  /** {@link LandlockScope} */
  readonly scoped?: number;
}

/**
 * Which version of Landlock the kernel has, from 1.
 * @throws SystemError ENOSYS: built without it; EOPNOTSUPP: not enabled at boot
 */
export function landlockAbi(): number {
  const VERSION = 1;
  return check(createRuleset(new Uint8Array(0), VERSION), 'landlock_create_ruleset');
}

/**
 * landlock_create_ruleset(2).
 * @returns a descriptor, close-on-exec
 * @throws SystemError
 */
export function landlockCreateRuleset({ fs, net = 0, scoped = 0 }: LandlockRuleset): number {
  return check(createRuleset(words([fs, net, scoped]), 0), 'landlock_create_ruleset');
}

/**
 * Allows what `access` says for a file, or for a directory and everything below it (landlock_add_rule(2)).
 * @param fd the file or directory; O_PATH will do
 * @throws SystemError EINVAL: what the ruleset does not handle, or what only directories have for a file
 */
export function landlockAllow(ruleset: number, fd: number, access: number): void {
  const PATH_BENEATH = 1;
  const attributes = new Uint8Array(12);
  attributes.set(words([access]));
  new DataView(attributes.buffer).setInt32(8, fd, true);
  check(addRule(ruleset, PATH_BENEATH, attributes, 0), 'landlock_add_rule');
}

/**
 * Puts the calling thread under the ruleset for good, and whatever it starts or executes; the other threads of the process are as free as
 * before (landlock_restrict_self(2)). Needs `noNewPrivileges`, or CAP_SYS_ADMIN.
 * @throws SystemError
 */
export function landlockRestrictSelf(ruleset: number): void {
  check(restrictSelf(ruleset, 0), 'landlock_restrict_self');
}

/** 64 bits each; no flag is beyond the lower half. */
function words(values: readonly number[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values, (value) => BigInt(value)).buffer);
}
