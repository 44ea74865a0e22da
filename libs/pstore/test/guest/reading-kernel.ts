import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, type Guest } from '@vm-tools/guest';
import type { RamoopsLayout } from '../../src/layout.ts';
import { PATIENCE_MS, type ShownFile, shownFiles } from './shown-files.ts';

/** Where the guest's kernel leaves memory alone, and how much of it. */
const ADDRESS = 0x8000000;
const ROOM = 0x400000;
const MEMORY_MIB = 256;
/** A guest whose kernel is shown regions of persistent RAM, and says what it reads in them. */
export class ReadingKernel implements AsyncDisposable {
  readonly #guest: Guest;
  readonly #folder: string;
  readonly #memory: number;

  private constructor(guest: Guest, folder: string) {
    this.#guest = guest;
    this.#folder = folder;
    this.#memory = openSync(join(folder, 'memory'), 'r+');
  }

  static async boot({ cpus = 1 }: { cpus?: number } = {}): Promise<ReadingKernel> {
    const folder = mkdtempSync(join(tmpdir(), 'vm-tools-pstore-'));
    try {
      const guest = await bootGuest({
        modules: ['ramoops'],
        memory: MEMORY_MIB,
        cpus,
        timeoutMs: PATIENCE_MS,
        cmdline: `memmap=${ROOM}$${ADDRESS}`,
        vm: { sharedMemory: join(folder, 'memory') },
      });
      await guest.sh('rmmod ramoops && mkdir -p /sys/fs/pstore && mount -t pstore pstore /sys/fs/pstore');
      return new ReadingKernel(guest, folder);
    } catch (error) {
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  /** What the kernel shows in /sys/fs/pstore for these bytes. */
  async read(region: Uint8Array, layout: RamoopsLayout): Promise<ShownFile[]> {
    writeSync(this.#memory, region, 0, region.length, ADDRESS);
    const words = [
      `mem_address=${ADDRESS} mem_size=${region.length} ecc=${layout.ecc}`,
      `record_size=${layout.recordSize} console_size=${layout.consoleSize}`,
      `ftrace_size=${layout.ftraceSize} pmsg_size=${layout.pmsgSize}`,
    ];
    return await shownFiles(
      this.#guest,
      `insmod /lib/modules/ramoops.ko ${words.join(' ')}`,
      'rmmod ramoops',
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#guest[Symbol.asyncDispose]();
    closeSync(this.#memory);
    rmSync(this.#folder, { recursive: true });
  }
}
