import type { Cpu } from '../cpu/cpu.ts';
import type { SoftErrors } from '../errors.ts';
import { type FileMapping, fileNameOf } from './file-mapping.ts';
import { type Image, type ImageBytes, readImage, readSoname } from './image.ts';
import type { CoreMemory } from './memory.ts';
import { type ReadAt, type Reading, runReading } from './reading.ts';

/** A program or library in the process's memory. */
export interface Module {
  readonly base: bigint;
  /** In bytes. */
  readonly size: number;
  /** The path of its file; for one that no path is known of, its soname, or nothing. */
  readonly name: string;
  readonly buildId: Uint8Array | undefined;
  /** What its headers tell; undefined where these could not be read. */
  readonly image: Image | undefined;
}

/** A file that was mapped, as it is now. */
export interface MappedFile {
  readonly readAt: ReadAt;
  /** Whether it is the very file that was mapped, and not only one of that name. */
  readonly same: boolean;
}

/** Opens the file of a mapping. */
export type OpenFile = (mapping: FileMapping) => MappedFile | undefined;

/** What may be a module: mappings of one file, from its first byte on. */
export interface Candidate {
  readonly base: bigint;
  readonly path: string;
  readonly mappings: readonly FileMapping[];
  end: bigint;
}

/** More are not looked at. */
const MAX_CANDIDATES = 1 << 14;
/** The name that Breakpad's tools know the vDSO by. */
export const VDSO_NAME = 'linux-gate.so';

/** Groups mappings, ascending, to what may be modules. */
export function candidatesOf(
  mappings: readonly FileMapping[],
  vdso: bigint | undefined,
  errors: SoftErrors,
): Candidate[] {
  const candidates: (Candidate & { mappings: FileMapping[] })[] = [];
  const last = new Map<string, (typeof candidates)[number]>();
  let end = 0n;
  for (const mapping of mappings) {
    if (mapping.start < end) {
      errors.add('NOTE_MALFORMED', `a mapping of ${mapping.path} overlaps another one`);
      continue;
    }
    end = mapping.end;
    const group = last.get(mapping.path);
    if (group && mapping.fileOffset !== 0n) {
      group.mappings.push(mapping);
      group.end = mapping.end;
      continue;
    }
    const base = mapping.start >= mapping.fileOffset ? mapping.start - mapping.fileOffset : mapping.start;
    const candidate = { base, path: mapping.path, mappings: [mapping], end: mapping.end };
    last.set(mapping.path, candidate);
    candidates.push(candidate);
  }
  if (vdso) candidates.push({ base: vdso, path: VDSO_NAME, mappings: [], end: vdso });
  if (candidates.length > MAX_CANDIDATES) {
    errors.add('MODULES_LEFT_OUT', `of ${candidates.length} mapped files ${MAX_CANDIDATES} are looked at`);
  }
  return candidates.slice(0, MAX_CANDIDATES);
}

/** What may be a module in a core that does not tell of files: whatever could begin as an ELF file does. */
export function candidatesOfSegments(memory: CoreMemory): Candidate[] {
  return memory.segments.list
    .filter(({ read, fileSize }) => read && fileSize > 0)
    .slice(0, MAX_CANDIDATES)
    .map(({ start, end }) => ({ base: start, path: '', mappings: [], end }));
}

/** A candidate that turned out to be a module. */
export type Found = Module & { readonly candidate: Candidate };

/** Looks at the headers of one candidate; undefined: it is no module. */
export function* readModule(
  cpu: Cpu,
  candidate: Candidate,
  memory: CoreMemory,
  {
    openFile,
    isProgram,
    errors,
  }: {
    openFile: OpenFile | undefined;
    isProgram: boolean;
    errors: SoftErrors;
  },
): Reading<Found | undefined> {
  const { base, path, mappings } = candidate;
  const name = fileNameOf(path);
  let isThere = false;
  const inMemory: ImageBytes = {
    *header(offset, size) {
      const bytes = yield* memory.read(base + BigInt(offset), size);
      isThere ||= bytes.length > 0;
      return bytes;
    },
    contents: ({ address, fileSize }, bias) =>
      memory.readAcross(BigInt.asUintN(64, bias + address), Number(fileSize)),
  };
  const mapping = mappings[0];
  let image = yield* readImage(cpu, base, inMemory);
  const executable = mappings.some(({ start }) => memory.segments.at(start)?.execute);
  if (!isThere) {
    const file = mapping && openFile?.(mapping);
    image = file && runReading(readImage(cpu, base, inFile(file.readAt)), file.readAt);
    if (!image && !executable && !isProgram) return undefined;
    const from = image
      ? file?.same
        ? 'those of its file'
        : 'those of the file that has its name now'
      : 'unknown';
    errors.add('MODULE_HEADERS', `the headers of ${name} are not in the core: ${from}`);
  } else if (!image && !isProgram) return undefined;
  // A library that is mapped to be looked at, by a debugger for one, has all of its file in one piece.
  const mapped = mapping ? Number(mapping.end - mapping.start) : 0;
  const loaded = mappings.length !== 1 || executable || !image || mapped < image.firstSegment + PAGE;
  if (!loaded && !isProgram) return undefined;
  const soname =
    name === '' && image ? yield* readSoname(cpu, image, (a, s) => memory.readAcross(a, s)) : undefined;
  return {
    base,
    size: image?.span ?? Math.min(Number(candidate.end - base), 0xffffffff),
    name: soname ?? name,
    buildId: image?.buildId,
    image,
    candidate,
  };
}

const PAGE = 4096;

/** The headers of a file, as they would be mapped. */
export function inFile(readAt: ReadAt): ImageBytes {
  return {
    // biome-ignore lint/correctness/useYield: a file answers at once
    *header(offset, size) {
      return readAt(offset, size);
    },
    // biome-ignore lint/correctness/useYield: a file answers at once
    *contents({ offset, fileSize }) {
      return readAt(Number(offset), Number(fileSize));
    },
  };
}

/** Modules ascending and disjoint, the program first; pieces of one image that were found apart are one. */
export function arrangeModules(found: readonly Found[], isProgram: (module: Found) => boolean): Module[] {
  const ascending = [...found].sort((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0));
  const kept: Found[] = [];
  for (const module of ascending) {
    const previous = kept.at(-1);
    const inPrevious = previous && module.base < previous.base + BigInt(previous.size);
    if (inPrevious && (previous.name === module.name || module.base === previous.base)) continue;
    if (inPrevious) kept.splice(-1, 1, { ...previous, size: Number(module.base - previous.base) });
    kept.push(module);
  }
  const program = kept.findIndex(isProgram);
  const [first] = program < 0 ? [] : kept.splice(program, 1);
  return (first ? [first, ...kept] : kept).map(({ candidate: _, ...module }) => module);
}
