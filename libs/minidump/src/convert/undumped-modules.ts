import { type Image, readImage } from '../core/image.ts';
import type { DsoDebug } from '../core/link-maps.ts';
import { type Found, inFile, type OpenFile } from '../core/modules.ts';
import { runReading } from '../core/reading.ts';
import type { Segments } from '../core/segment.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { Aux } from '../elf/elf.ts';
import type { SoftErrors } from '../errors.ts';

// qemu-user dumps neither a list of files nor the headers of what is mapped. The auxiliary vector tells where the program is and what
// it is called, its file where its dynamic section is, and that leads to the dynamic linker's list of the others.

interface Known {
  readonly cpu: Cpu;
  readonly segments: Segments;
  readonly auxv: ReadonlyMap<bigint, bigint>;
  readonly openFile: OpenFile | undefined;
  readonly errors: SoftErrors;
}

const PAGE = 4096n;

/** The program of a core in which its headers are not. */
export function undumpedProgram(known: Known, name: string | undefined): Found | undefined {
  const headers = known.auxv.get(Aux.programHeaders);
  if (headers === undefined || !name) return undefined;
  const base = headers & ~(PAGE - 1n);
  const image = imageOfFile(known, base, name);
  // A file of that name that begins somewhere else is another one.
  const isIt = image && image.entry === known.auxv.get(Aux.entry);
  return moduleAt(known, base, name, isIt ? image : undefined);
}

/** The libraries that the dynamic linker knows of and that are not among the modules yet. */
export function undumpedLibraries(
  known: Known,
  found: readonly Found[],
  dsoDebug: DsoDebug | undefined,
): Found[] {
  const bases = new Set(found.map(({ base }) => base));
  return (dsoDebug?.linkMaps ?? []).flatMap(({ address, name }) => {
    if (address === 0n || name === '' || bases.has(address) || !known.segments.at(address)) return [];
    bases.add(address);
    return [moduleAt(known, address, name, imageOfFile(known, address, name))];
  });
}

function imageOfFile({ cpu, openFile }: Known, base: bigint, path: string): Image | undefined {
  const file = openFile?.({ start: base, end: base, fileOffset: 0n, path });
  return file && runReading(readImage(cpu, base, inFile(file.readAt)), file.readAt);
}

function moduleAt({ segments, errors }: Known, base: bigint, name: string, image: Image | undefined): Found {
  errors.add(
    'MODULE_HEADERS',
    `the headers of ${name} are not in the core: ${image ? 'those of the file that has its name now' : 'unknown'}`,
  );
  const end = image ? base + BigInt(image.span) : contiguousEnd(segments, base);
  const candidate = { base, path: name, mappings: [], end };
  return { base, size: Number(end - base), name, buildId: image?.buildId, image, candidate };
}

/** Where the memory ends that goes on without a gap from there. */
function contiguousEnd(segments: Segments, from: bigint): bigint {
  let end = from;
  for (let next = segments.at(from); next && end - from < 1n << 31n; next = segments.at(end)) end = next.end;
  return end;
}
