import { constants, fstat, mmap, munmap, reserve, STAT_WORDS, Stat } from '@vm-tools/linux';
import { VhostUserError } from '../errors.ts';

/** A piece of the guest's memory, as the VMM describes it; all in bytes. */
export interface MemoryRegion {
  /** Where the guest sees it. */
  readonly guestAddress: number;
  readonly size: number;
  /** Where the VMM sees it; it gives the addresses of rings in these terms. */
  readonly userAddress: number;
  /** Where it begins in the file. */
  readonly offset: number;
  /** Stays its owner's. */
  readonly fd: number;
}

/** Addresses are cheap, but this is a mistake rather than a guest. */
const LARGEST_SPAN = 2 ** 42;
const PAGE = 4096;

/**
 * The guest's memory, at its own addresses: what the guest calls address N is `bytes[N]`. Between the regions there is
 * nothing, and to touch it ends the process: whatever address comes from outside must pass `holds` first.
 */
export class GuestMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Sorted by guest address. */
  readonly regions: readonly MemoryRegion[];
  /** The region that was hit last: nearly always it is hit again. */
  #from = 0;
  #to = 0;

  /** @throws {VhostUserError} when the regions cannot be mapped: see the message */
  constructor(regions: readonly MemoryRegion[]) {
    let memory: ArrayBuffer | undefined;
    try {
      this.regions = [...regions].sort((a, b) => a.guestAddress - b.guestAddress);
      memory = reserve(Math.max(PAGE, checkedSpan(this.regions)));
      mapRegions(memory, this.regions);
      this.bytes = new Uint8Array(memory);
      this.view = new DataView(memory);
    } catch (cause) {
      if (memory) munmap(memory);
      if (cause instanceof VhostUserError) throw cause;
      throw new VhostUserError(`guest memory cannot be mapped: ${(cause as Error).message}`, { cause });
    }
  }

  /** Whether all of that is memory of the guest; it may lie across regions. */
  holds(address: number, length: number): boolean {
    if (address >= this.#from && address + length <= this.#to) return true;
    return this.#search(address, address + length);
  }

  #search(from: number, end: number): boolean {
    let at = from;
    for (const { guestAddress, size } of this.regions) {
      const to = guestAddress + size;
      if (at < guestAddress) return false;
      if (at >= to) continue;
      this.#from = guestAddress;
      this.#to = to;
      if (end <= to) return true;
      at = to;
    }
    return false;
  }

  /** The guest address of what the VMM has at an address, or undefined. */
  guestAddressOf(userAddress: number): number | undefined {
    for (const region of this.regions) {
      const offset = userAddress - region.userAddress;
      if (offset >= 0 && offset < region.size) return region.guestAddress + offset;
    }
    return undefined;
  }

  /**
   * Forgets which pages this process has touched, so that they do not count as its own: over time that would be all of the guest's
   * memory. What is in them stays.
   */
  trim(): void {
    mapRegions(this.bytes.buffer as ArrayBuffer, this.regions);
  }

  /** Gives the memory back at once; all views of it are empty from then on. */
  unmap(): void {
    munmap(this.bytes.buffer as ArrayBuffer);
    this.#to = 0;
  }
}

function mapRegions(memory: ArrayBuffer, regions: readonly MemoryRegion[]): void {
  const protection = constants.PROT_READ | constants.PROT_WRITE;
  for (const { guestAddress, size, offset, fd } of regions)
    mmap(memory, guestAddress, size, { fd, offset, protection });
}

/** The end of the last region. */
function checkedSpan(regions: readonly MemoryRegion[]): number {
  let end = 0;
  for (const region of regions) {
    const { guestAddress, size, offset, fd } = region;
    const what = `the memory region of ${size} bytes at guest address ${guestAddress}`;
    if (size <= 0) throw new VhostUserError(`${what} is empty`);
    if (guestAddress < end) throw new VhostUserError(`${what} overlaps the one before it`);
    if (guestAddress % PAGE !== 0 || offset % PAGE !== 0 || size % PAGE !== 0)
      throw new VhostUserError(
        `${what} (offset ${offset} of its file) is not made of pages of ${PAGE} bytes`,
      );
    end = guestAddress + size;
    if (end > LARGEST_SPAN) throw new VhostUserError(`${what} ends beyond ${LARGEST_SPAN}`);
    const length = fileSize(fd);
    // A page behind the end of its file would end this process when it is touched.
    if (offset + size > length)
      throw new VhostUserError(`${what} (offset ${offset} of its file) is beyond the file's ${length} bytes`);
  }
  return end;
}

function fileSize(fd: number): number {
  const stat = new Uint32Array(STAT_WORDS);
  if (fstat(fd, stat) < 0) return 0;
  return (stat[Stat.size] ?? 0) + (stat[Stat.size + 1] ?? 0) * 2 ** 32;
}
