import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, type Guest, GuestError } from '@vm-tools/guest';
import type { RamoopsLayout } from '../../src/layout.ts';
import { PATIENCE_MS, type ShownFile, shownFiles } from './shown-files.ts';

/** Where the guest's kernel leaves memory alone, and how much of it. */
const ADDRESS = 0x8000000;
const ROOM = 0x400000;
const MEMORY_MIB = 256;
const DRIVER = '/sys/bus/platform/drivers/ramoops';

export interface Machine {
  readonly layout: RamoopsLayout & { readonly memSize: number };
  readonly cpus?: number;
  /** Further words of the kernel's command line, such as `pstore.compress=lz4`. */
  readonly cmdline?: string;
}

/** A machine that keeps its memory when it ends, so that the built kernel finds at each boot what it left at the last. */
export class PersistentRam implements Disposable {
  readonly #machine: Machine;
  readonly #folder: string;
  readonly #memory: number;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#folder = mkdtempSync(join(tmpdir(), 'vm-tools-ram-'));
    this.#memory = openSync(this.path, 'w+');
  }

  /** The file that is its memory. */
  get path(): string {
    return join(this.#folder, 'memory');
  }

  /** That of its kernel, as far as it is about persistent RAM. */
  get commandLine(): string {
    const { layout, cmdline = '' } = this.#machine;
    const words = [
      `memmap=${ROOM}$${ADDRESS} ramoops.mem_address=${ADDRESS} ramoops.mem_size=${layout.memSize}`,
      `ramoops.record_size=${layout.recordSize} ramoops.console_size=${layout.consoleSize}`,
      `ramoops.ftrace_size=${layout.ftraceSize} ramoops.pmsg_size=${layout.pmsgSize} ramoops.ecc=${layout.ecc}`,
      cmdline,
    ];
    return words.join(' ').trim();
  }

  get region(): Uint8Array {
    const bytes = new Uint8Array(this.#machine.layout.memSize);
    readSync(this.#memory, bytes, 0, bytes.length, ADDRESS);
    return bytes;
  }

  set region(bytes: Uint8Array) {
    writeSync(this.#memory, bytes, 0, bytes.length, ADDRESS);
  }

  async boot(): Promise<Guest> {
    const guest = await bootGuest({
      kernel: 'built',
      memory: MEMORY_MIB,
      cpus: this.#machine.cpus ?? 1,
      timeoutMs: PATIENCE_MS,
      // What user space writes to the console is not held back.
      cmdline: `${this.commandLine} printk.devkmsg=on`,
      vm: { sharedMemory: this.path },
    });
    await guest.sh(
      'mount -t pstore pstore /sys/fs/pstore; mount -t debugfs debugfs /sys/kernel/debug; echo 1 > /proc/sys/kernel/sysrq',
    );
    return guest;
  }

  /** Boots, and runs a script that has to be the machine's end. */
  async die(script: string): Promise<void> {
    await using guest = await this.boot();
    const error = await guest.sh(script, { timeoutMs: PATIENCE_MS }).then(
      (stdout) => new Error(`the machine outlived ${script}: ${stdout}`),
      (reason: unknown) => reason,
    );
    if (!(error instanceof GuestError && error.code === 'ERR_GUEST_ENDED')) throw error;
    await guest.exited;
  }

  /** Boots, and gives what that boot shows of the last one. */
  async nextBoot(): Promise<ShownFile[]> {
    await using guest = await this.boot();
    return await shownFiles(guest);
  }

  /** What the kernel of a guest that runs shows when it finds these bytes: for it, that is a boot. */
  async readAgain(guest: Guest, region: Uint8Array): Promise<ShownFile[]> {
    await guest.sh(`echo ramoops > ${DRIVER}/unbind`, { timeoutMs: PATIENCE_MS });
    this.region = region;
    return await shownFiles(guest, `echo ramoops > ${DRIVER}/bind`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#memory);
    rmSync(this.#folder, { recursive: true });
  }
}
