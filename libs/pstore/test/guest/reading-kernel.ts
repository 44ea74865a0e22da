import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, type Guest } from '@vm-tools/guest';
import type { RamoopsLayout } from '../../src/layout.ts';

/** Where the guest's kernel leaves memory alone, and how much of it. */
const ADDRESS = 0x8000000;
const ROOM = 0x400000;
const MEMORY_MIB = 256;
/** For a machine that is busy with other things. */
export const PATIENCE_MS = 600_000;

/** Packs names and contents, so that one call brings all files: `name size\n` and the bytes. */
const PACK =
  'cd /sys/fs/pstore && for f in *; do [ -e "$f" ] || continue; cat "$f" > /tmp/f; echo "$f $(stat -c %s /tmp/f)"; cat /tmp/f; done';

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
  async read(region: Uint8Array, layout: RamoopsLayout): Promise<Map<string, Uint8Array>> {
    writeSync(this.#memory, region, 0, region.length, ADDRESS);
    const words = [
      `mem_address=${ADDRESS} mem_size=${region.length} ecc=${layout.ecc}`,
      `record_size=${layout.recordSize} console_size=${layout.consoleSize}`,
      `ftrace_size=${layout.ftraceSize} pmsg_size=${layout.pmsgSize}`,
    ];
    const script = `insmod /lib/modules/ramoops.ko ${words.join(' ')} && (${PACK}); s=$?; rmmod ramoops; exit $s`;
    const { status, stderr, stdoutBytes } = await this.#guest.exec(['sh', '-c', script], {
      timeoutMs: PATIENCE_MS,
    });
    if (status !== 0) throw new Error(`the kernel takes no region of ${words.join(' ')}: ${stderr}`);
    return unpack(stdoutBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#guest[Symbol.asyncDispose]();
    closeSync(this.#memory);
    rmSync(this.#folder, { recursive: true });
  }
}

function unpack(packed: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at < packed.length; ) {
    const end = packed.indexOf(0x0a, at);
    const [name = '', size] = new TextDecoder().decode(packed.subarray(at, end)).split(' ');
    at = end + 1 + Number(size);
    files.set(name, packed.slice(end + 1, at));
  }
  return files;
}
