import type { ZoneKind } from '@vm-tools/pstore';

export interface KindOptions {
  readonly dmesg: boolean;
  readonly pmsg: boolean;
  readonly ftrace: boolean;
  readonly all: boolean;
}

/** In the order in which the kernel makes their files. */
export const KINDS: readonly ZoneKind[] = ['dmesg', 'console', 'pmsg', 'ftrace'];

/** What is to be printed: what was asked for, or the console. */
export function kindsAsked({ dmesg, pmsg, ftrace, all }: KindOptions): readonly ZoneKind[] {
  if (all) return KINDS;
  const asked = { dmesg, pmsg, ftrace, console: !dmesg && !pmsg && !ftrace };
  return KINDS.filter((kind) => asked[kind]);
}
