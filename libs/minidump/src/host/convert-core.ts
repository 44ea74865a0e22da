import { once } from 'node:events';
import { createReadStream, fstatSync, write } from 'node:fs';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { type ConversionSummary, convert } from '../convert/convert.ts';
import type { ConvertOptions, ProcessFacts } from '../convert/facts.ts';
import { AnywhereInput, type CoreInput } from '../convert/input.ts';
import { OnePass } from '../core/one-pass.ts';
import { readBytes } from '../core/reading.ts';
import { ChunkFlow, DescriptorFlow, type OpenFlow } from './flow.ts';
import { readFully } from './proc-files.ts';
import { NamedFiles, readProcess } from './process.ts';

/** Where a core comes from: a descriptor (of a pipe, a socket, a file), any byte stream, or bytes. */
export type CoreSource = number | AsyncIterable<Uint8Array> | Uint8Array;

/** Where a minidump goes: a descriptor, a stream, which is not ended, or a function that takes the pieces. */
export type DumpTarget = number | Writable | ((chunk: Uint8Array) => unknown);

export interface ConvertCoreOptions extends ConvertOptions {
  /** The directory of the process: `/proc/PID` or a copy of it; or what is known of the process. */
  readonly proc?: string | ProcessFacts;
  /** Stops the conversion; what is left of the core is then not read. */
  readonly signal?: AbortSignal;
  /** Told now and then how many bytes of the core have been read, and how many there will be (0: not known yet). */
  readonly onProgress?: (progress: { readonly read: number; readonly total: number }) => void;
}

/**
 * Converts an ELF core to a minidump while it flows by. A pipe is read to its end, whatever is in it; a file is read where it must
 * be. Nothing is written before the core has been read.
 *
 * @throws CoreError when there is no core or not a single thread in it: then nothing is written. SystemError of a descriptor, the
 *   signal's reason, RangeError for a budget that makes the dump larger than 4 GiB
 */
export async function convertCore(
  input: CoreSource,
  output: DumpTarget,
  options: ConvertCoreOptions = {},
): Promise<ConversionSummary> {
  const { proc, signal, onProgress } = options;
  signal?.throwIfAborted();
  const snapshot = typeof proc === 'string' ? readProcess(proc, options) : undefined;
  const named = proc === undefined ? new NamedFiles() : undefined;
  const facts = snapshot ?? (typeof proc === 'object' ? proc : { openFile: named?.open.bind(named) });
  const source = await openSource(input, signal);
  try {
    const { chunks, summary } = await convert(source.input, facts, options, (total) => {
      signal?.throwIfAborted();
      onProgress?.({ read: source.input.position, total });
    });
    for (const chunk of chunks) await writeTo(output, chunk);
    return summary;
  } finally {
    source.close();
    snapshot?.[Symbol.dispose]();
    named?.[Symbol.dispose]();
  }
}

interface Source {
  readonly input: CoreInput;
  close(): void;
}

async function openSource(input: CoreSource, signal: AbortSignal | undefined): Promise<Source> {
  if (input instanceof Uint8Array) {
    return { input: new AnywhereInput(readBytes(input), input.length), close: () => undefined };
  }
  if (typeof input !== 'number') return flowing(new ChunkFlow(input));
  const stat = fstatSync(input);
  if (stat.isFile()) {
    const readAt = (offset: number, size: number) =>
      readFully(input, offset, Math.min(size, Math.max(0, stat.size - offset)));
    return { input: new AnywhereInput(readAt, stat.size), close: () => undefined };
  }
  return flowing(await descriptorFlow(input, stat, signal));
}

function flowing(flow: OpenFlow): Source {
  return { input: new OnePass(flow), close: () => flow.close() };
}

/** Without the native package the bytes come through Node's streams, all of them. */
async function descriptorFlow(
  fd: number,
  stat: { isFIFO(): boolean; isSocket(): boolean },
  signal: AbortSignal | undefined,
): Promise<OpenFlow> {
  if (stat.isFIFO() || stat.isSocket()) {
    try {
      const linux = await import('@vm-tools/linux');
      return new DescriptorFlow(linux, fd, { isPipe: stat.isFIFO(), ...(signal && { signal }) });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (
        code !== 'ERR_MODULE_NOT_FOUND' &&
        code !== 'MODULE_NOT_FOUND' &&
        code !== 'ERR_UNSUPPORTED_PLATFORM'
      )
        throw error;
    }
  }
  return new ChunkFlow(createReadStream('', { fd, autoClose: false, ...(signal && { signal }) }));
}

const writeAsync = promisify(write);

async function writeTo(output: DumpTarget, chunk: Uint8Array): Promise<void> {
  if (typeof output === 'function') await output(chunk);
  else if (typeof output === 'number') {
    for (let at = 0; at < chunk.length; ) at += (await writeAsync(output, chunk, at)).bytesWritten;
  } else if (!output.write(chunk)) await once(output, 'drain');
}
