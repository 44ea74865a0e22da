import type { Cpu } from '../cpu/cpu.ts';
import { Dynamic, elf } from '../elf/elf.ts';
import type { SoftErrors } from '../errors.ts';
import { viewOf } from '../record.ts';
import { dynamicEntries, type Image } from './image.ts';
import type { CoreMemory } from './memory.ts';
import type { Reading } from './reading.ts';

/** An entry of the dynamic linker's list: struct link_map. */
export interface LinkMap {
  /** What was added to the file's addresses (`l_addr`). */
  readonly address: bigint;
  readonly name: string;
  /** Of its dynamic section (`l_ld`). */
  readonly dynamic: bigint;
}

/** What the dynamic linker tells debuggers: struct r_debug. */
export interface DsoDebug {
  readonly version: number;
  readonly brk: bigint;
  readonly ldbase: bigint;
  /** The dynamic section of the program. */
  readonly dynamic: bigint;
  readonly dynamicBytes: Uint8Array;
  readonly linkMaps: readonly LinkMap[];
}

/** More are not read. */
export const MAX_LINK_MAPS = 4096;

/** Follows the dynamic linker's list; undefined where there is none, as in a program that is linked statically. */
export function* readLinkMaps(
  cpu: Cpu,
  program: Image,
  memory: CoreMemory,
  errors: SoftErrors,
): Reading<DsoDebug | undefined> {
  const { rDebug } = elf[cpu.bits];
  if (!program.dynamic) return undefined;
  const { address: dynamic, size } = program.dynamic;
  const dynamicBytes = (yield* memory.read(dynamic, size)).slice();
  if (dynamicBytes.length === 0) return missing('dynamic section of the program', dynamic, errors);
  const at = dynamicEntries(cpu, dynamicBytes).get(Dynamic.debug);
  if (at === undefined || at === 0n) return undefined;
  const bytes = yield* memory.readAcross(at, rDebug.size);
  if (bytes.length < rDebug.size) return missing('list of the dynamic linker (r_debug)', at, errors);
  const { version, brk, ldbase, map } = rDebug.read(viewOf(bytes));
  const linkMaps = yield* followLinks(cpu, map, memory, errors);
  return { version, brk, ldbase, dynamic, dynamicBytes, linkMaps };
}

function* followLinks(cpu: Cpu, first: bigint, memory: CoreMemory, errors: SoftErrors): Reading<LinkMap[]> {
  const { linkMap } = elf[cpu.bits];
  const linkMaps: LinkMap[] = [];
  const seen = new Set<bigint>();
  for (let at = first; at !== 0n; ) {
    if (seen.has(at) || seen.size >= MAX_LINK_MAPS) {
      const what = seen.has(at) ? 'comes back to' : `has more than ${MAX_LINK_MAPS} entries, as of`;
      errors.add('LINK_MAPS', `the list of the dynamic linker ${what} 0x${at.toString(16)}`);
      break;
    }
    seen.add(at);
    const bytes = yield* memory.readAcross(at, linkMap.size);
    if (bytes.length < linkMap.size) {
      missing('next entry of the list of the dynamic linker', at, errors);
      break;
    }
    const { address, name, dynamic, next } = linkMap.read(viewOf(bytes));
    linkMaps.push({ address, dynamic, name: (yield* memory.readText(name)) ?? '' });
    at = next;
  }
  return linkMaps;
}

function missing(what: string, address: bigint, errors: SoftErrors): undefined {
  errors.add(
    'LINK_MAPS',
    `the ${what}, at 0x${address.toString(16)}, is neither in the core nor kept nor in /proc`,
  );
}
