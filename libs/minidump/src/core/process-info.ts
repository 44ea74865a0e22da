import { bytesOf, record, viewOf } from '../record.ts';

/** What NT_PRPSINFO tells of the process. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** At most 15 bytes. */
  readonly name: string;
  /** The command line, cut off after 79 bytes; what separates arguments has become a space. */
  readonly arguments: string;
}

/** struct elf_prpsinfo of 64 bits; of 32 bits with user ids of 16 (x86, arm); of 32 bits. By their sizes. */
const layouts = new Map(
  [
    record({
      states: 'u32',
      padding: 'u32',
      flags: 'u64',
      uid: 'u32',
      gid: 'u32',
      pid: 'u32',
      parent: 'u32',
      group: 'u32',
      session: 'u32',
      name: 16,
      arguments: 80,
    }),
    record({
      states: 'u32',
      flags: 'u32',
      uid: 'u16',
      gid: 'u16',
      pid: 'u32',
      parent: 'u32',
      group: 'u32',
      session: 'u32',
      name: 16,
      arguments: 80,
    }),
    record({
      states: 'u32',
      flags: 'u32',
      uid: 'u32',
      gid: 'u32',
      pid: 'u32',
      parent: 'u32',
      group: 'u32',
      session: 'u32',
      name: 16,
      arguments: 80,
    }),
  ].map(({ size, offsets }) => [size, offsets] as const),
);

/** The process of NT_PRPSINFO; undefined when it has a size that is not known. */
export function processInfoOf(bytes: Uint8Array): ProcessInfo | undefined {
  const offsets = layouts.get(bytes.length);
  if (!offsets) return undefined;
  const view = viewOf(bytes);
  return {
    pid: view.getUint32(offsets.pid, true),
    parent: view.getUint32(offsets.parent, true),
    name: text(bytesOf(view, offsets.name, 16)),
    arguments: text(bytesOf(view, offsets.arguments, 80)).trimEnd(),
  };
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? bytes.length : end));
}
