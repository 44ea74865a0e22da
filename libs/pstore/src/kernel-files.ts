import type { RecordTime } from './dmesg.ts';
import type { FtraceLog } from './ftrace.ts';
import type { Ramoops } from './ramoops.ts';
import type { SymbolTable } from './symbols.ts';
import type { Correction } from './zone.ts';

/** A file as the next boot shows it in /sys/fs/pstore. */
export interface KernelFile {
  /** `dmesg-ramoops-0` */
  readonly name: string;
  /** With the line about error correction that the kernel puts at its end. */
  readonly data: Uint8Array;
  /** When the file says that it was changed; undefined where it says when it was read. */
  readonly time: RecordTime | undefined;
}

export interface KernelFilesOptions {
  /** For the names in `ftrace-ramoops-0`; without it there are addresses. */
  readonly symbols?: SymbolTable;
}

const encoder = new TextEncoder();

/**
 * The files of /sys/fs/pstore at the next boot, byte for byte, in the order in which the kernel makes them.
 *
 * In one thing we do better: with error correction, the kernel begins to read ftrace entries one or more bytes late, and shows
 * addresses that never were; here they are as they were written.
 */
export function kernelFiles(ramoops: Ramoops, { symbols }: KernelFilesOptions = {}): KernelFile[] {
  const files: KernelFile[] = [];
  for (const { index, compression, data, stored, problems, time, zone } of ramoops.dmesg) {
    // The kernel takes a record of no bytes for the end of all records.
    if (compression === 'none' && data.length === 0) return files;
    const isPacked = compression === 'unknown' || problems.some(({ code }) => code === 'misread-by-kernel');
    const name = `dmesg-ramoops-${index}${isPacked ? '.enc.z' : ''}`;
    files.push({ name, data: withNotice(isPacked ? stored : data, zone.correction), time });
  }
  const { console, pmsg, ftrace } = ramoops;
  for (const zone of [console, pmsg]) {
    if (!zone) continue;
    files.push({
      name: `${zone.kind}-ramoops-0`,
      data: withNotice(zone.data, zone.correction),
      time: undefined,
    });
  }
  if (ftrace && ftrace.length > 0) {
    files.push({ name: 'ftrace-ramoops-0', data: formatFtrace(ftrace, symbols), time: undefined });
  }
  return files;
}

/** What the kernel says of error correction at the end of a file; nothing without (persistent_ram_ecc_string()). */
export function eccNotice(correction: Correction | undefined): string {
  if (!correction) return '';
  const { correctedBytes, badBlocks } = correction;
  return correctedBytes > 0 || badBlocks > 0
    ? `\nECC: ${correctedBytes} Corrected bytes, ${badBlocks} unrecoverable blocks\n`
    : '\nECC: No errors detected\n';
}

function withNotice(data: Uint8Array, correction: Correction | undefined): Uint8Array {
  const notice = encoder.encode(eccNotice(correction));
  if (notice.length === 0) return data;
  const all = new Uint8Array(data.length + notice.length);
  all.set(data);
  all.set(notice, data.length);
  return all;
}

function formatFtrace(ftrace: FtraceLog, symbols: SymbolTable | undefined): Uint8Array {
  return encoder.encode(Array.from(ftrace, (entry) => ftrace.format(entry, symbols)).join(''));
}
