import type { CpuName, Registers } from '../cpu/cpu.ts';
import { cpuOfMinidump } from '../cpu/cpus.ts';
import { MinidumpError, type SoftError } from '../errors.ts';
import { viewOf } from '../record.ts';
import { decodeBuildId } from './code-view.ts';
import type {
  CrashpadInfo,
  DumpContents,
  DumpDsoDebug,
  DumpException,
  DumpHandle,
  DumpModule,
  DumpThread,
  LinuxFiles,
  MemoryInfo,
  MemoryRange,
  MiscInfo,
  SystemInfo,
} from './contents.ts';
import { DumpBytes } from './reader.ts';
import * as records from './records.ts';
import { fileStreams } from './write-minidump.ts';

/** A stream of the directory. */
export interface Stream {
  readonly type: number;
  /** Its name in {@link records.StreamType}, if it has one. */
  readonly name: records.StreamName | undefined;
  readonly rva: number;
  readonly size: number;
}

const names = new Map(
  (Object.entries(records.StreamType) as [records.StreamName, number][]).map(([name, type]) => [type, name]),
);

/** Nobody writes so many. */
const MAX_STREAMS = 4096;

/**
 * A minidump. Nothing but the directory is read at first; a stream is read when it is asked for, and `undefined` (for a list:
 * empty) when there is none. What lies outside the dump is a {@link MinidumpError} of that stream alone.
 */
export class Minidump implements DumpContents {
  readonly streams: readonly Stream[];
  /** When it was made; seconds since 1970. */
  readonly time: number;
  readonly #bytes: DumpBytes;
  readonly #read = new Map<string, unknown>();

  /** Use {@link readMinidump}. */
  constructor(bytes: Uint8Array) {
    this.#bytes = new DumpBytes(bytes);
    const header = this.#bytes.record(records.header, 0, 'the header');
    if (header.signature !== records.SIGNATURE) {
      throw new MinidumpError(
        'ERR_MINIDUMP_SIGNATURE',
        0,
        'the bytes do not begin with MDMP, as a minidump does',
      );
    }
    if (header.streamCount > MAX_STREAMS) {
      throw new MinidumpError('ERR_MINIDUMP_COUNT', 8, `${header.streamCount} streams`);
    }
    this.time = header.timeDateStamp;
    const list = { rva: header.directoryRva, count: header.streamCount, end: this.#bytes.size };
    const entries = this.#bytes.records(records.directoryEntry, list, 'the directory');
    this.streams = Array.from(entries, ({ type, location }) => ({
      type,
      name: names.get(type),
      ...location,
    }));
  }

  /** The first stream of a type. */
  stream(name: records.StreamName): Stream | undefined {
    return this.streams.find(({ type }) => type === records.StreamType[name]);
  }

  /** The bytes of a stream. @throws MinidumpError */
  streamBytes({ rva, size }: Pick<Stream, 'rva' | 'size'>): Uint8Array {
    return this.#bytes.slice(rva, size, 'a stream');
  }

  get system(): SystemInfo | undefined {
    return this.#once('systemInfo', ({ rva }) => {
      const {
        csdVersionRva,
        reserved: _,
        suiteMask: _s,
        productType: _p,
        ...system
      } = this.#bytes.record(records.systemInfo, rva, 'the system info');
      return { ...system, osVersion: csdVersionRva ? this.#bytes.text(csdVersionRva, 'the OS version') : '' };
    });
  }

  /** The processor; undefined for one that is not known here. */
  get cpu(): CpuName | undefined {
    return cpuOfMinidump(this.system?.processor ?? -1)?.name;
  }

  get threads(): readonly DumpThread[] {
    return (
      this.#once('threadList', (stream) =>
        Array.from(this.#list(records.thread, stream), ({ tid, context, stack }) => ({
          tid,
          context: this.#bytes.slice(context.rva, context.size, `the context of thread ${tid}`),
          stack: stack.memory.size > 0 ? this.#range(stack, `the stack of thread ${tid}`) : undefined,
        })),
      ) ?? []
    );
  }

  /** By thread id. */
  get threadNames(): ReadonlyMap<number, string> {
    return (
      this.#once(
        'threadNames',
        (stream) =>
          new Map(
            Array.from(this.#list(records.threadName, stream), ({ tid, nameRva }) => [
              tid,
              this.#bytes.text(Number(nameRva), `the name of thread ${tid}`),
            ]),
          ),
      ) ?? new Map()
    );
  }

  get modules(): readonly DumpModule[] {
    return (
      this.#once('moduleList', (stream) =>
        Array.from(this.#list(records.module, stream), ({ base, size, nameRva, codeView }) => ({
          base,
          size,
          name: this.#bytes.text(nameRva, 'the name of a module'),
          buildId: decodeBuildId(
            this.#bytes.slice(codeView.rva, codeView.size, 'the identifier of a module'),
          ),
        })),
      ) ?? []
    );
  }

  /** The memory in the dump: of its list, and of its 64-bit list. */
  get memory(): readonly MemoryRange[] {
    const list =
      this.#once('memoryList', (stream) =>
        Array.from(this.#list(records.memoryDescriptor, stream), (entry) => this.#range(entry, 'memory')),
      ) ?? [];
    const list64 = this.#once('memory64List', (stream) => this.#memory64(stream)) ?? [];
    return list64.length > 0 ? [...list, ...list64] : list;
  }

  /** Memory from an address on: fewer bytes where the dump has not so many in one piece. */
  readMemory(address: bigint, size: number): Uint8Array {
    for (const { start, bytes } of this.memory) {
      if (start > address || address >= start + BigInt(bytes.length)) continue;
      const at = Number(address - start);
      return bytes.subarray(at, at + size);
    }
    return new Uint8Array(0);
  }

  get exception(): DumpException | undefined {
    return this.#once('exception', ({ rva }) => {
      const { tid, exception, context } = this.#bytes.record(records.exceptionStream, rva, 'the exception');
      const { code, flags, address, parameterCount, parameters } = exception;
      return {
        tid,
        code,
        flags,
        address,
        parameters: parameters.slice(0, parameterCount),
        context: this.#bytes.slice(context.rva, context.size, 'the context of the exception'),
      };
    });
  }

  get memoryInfo(): readonly MemoryInfo[] {
    return (
      this.#once('memoryInfoList', ({ rva, size }) => {
        const head = this.#bytes.record(records.memoryInfoHeader, rva, 'the memory info');
        const list = {
          rva: rva + head.headerSize,
          count: Number(head.count),
          end: rva + size,
          stride: head.entrySize,
        };
        return Array.from(
          this.#bytes.records(records.memoryInfo, list, 'memory info'),
          ({ padding0: _, padding1: _1, ...info }) => info,
        );
      }) ?? []
    );
  }

  get handles(): readonly DumpHandle[] {
    return (
      this.#once('handleData', ({ rva, size }) => {
        const head = this.#bytes.record(records.handleHeader, rva, 'the handles');
        const list = {
          rva: rva + head.headerSize,
          count: head.count,
          end: rva + size,
          stride: head.entrySize,
        };
        return Array.from(
          this.#bytes.records(records.handle, list, 'handles'),
          ({ handle, typeNameRva, objectNameRva, grantedAccess }) => ({
            handle,
            type: typeNameRva ? this.#bytes.text(typeNameRva, 'the type of a handle') : '',
            name: objectNameRva ? this.#bytes.text(objectNameRva, 'the name of a handle') : '',
            access: grantedAccess,
          }),
        );
      }) ?? []
    );
  }

  get misc(): MiscInfo | undefined {
    return this.#once('miscInfo', ({ rva }) => {
      const info = this.#bytes.record(records.miscInfo, rva, 'the misc info');
      return {
        processId: info.flags & 1 ? info.processId : undefined,
        times:
          info.flags & 2
            ? { create: info.createTime, user: info.userTime, kernel: info.kernelTime }
            : undefined,
      };
    });
  }

  /** Files of /proc and /etc that are in the dump. */
  get linux(): LinuxFiles {
    const files: Record<string, Uint8Array> = {};
    for (const [file, name] of Object.entries(fileStreams)) {
      const stream = this.stream(name);
      if (stream) files[file] = this.streamBytes(stream);
    }
    return files;
  }

  get dsoDebug(): DumpDsoDebug | undefined {
    return this.#once('linuxDsoDebug', ({ rva, size }) => {
      const bits = cpuOfMinidump(this.system?.processor ?? 9)?.bits ?? 64;
      const { head, linkMap } = records.dsoDebug[bits];
      const { version, mapRva, dsoCount, brk, ldbase, dynamic } = this.#bytes.record(
        head,
        rva,
        'the DSO list',
      );
      const list = { rva: mapRva, count: dsoCount, end: this.#bytes.size };
      return {
        version,
        brk,
        ldbase,
        dynamic,
        dynamicBytes: this.#bytes.slice(
          rva + head.size,
          Math.max(0, size - head.size),
          'the dynamic section',
        ),
        linkMaps: Array.from(
          this.#bytes.records(linkMap, list, 'the DSO list'),
          ({ address, nameRva, dynamic }) => ({
            address,
            dynamic,
            name: this.#bytes.text(nameRva, 'the name of a DSO'),
          }),
        ),
      };
    });
  }

  get crashpad(): CrashpadInfo | undefined {
    return this.#once('crashpadInfo', ({ rva, size }) => {
      // Older ones end before the mask.
      const head = new Uint8Array(records.crashpadInfo.size);
      head.set(this.#bytes.slice(rva, Math.min(size, head.length), 'the Crashpad info'));
      const { reportId, clientId, annotations } = records.crashpadInfo.read(viewOf(head));
      return { reportId, clientId, annotations: this.#dictionary(annotations) };
    });
  }

  /** What the writer could not get; of dumps of this package and of Mozilla's writer. */
  get softErrors(): readonly SoftError[] {
    return (
      this.#once('softErrors', (stream) => {
        try {
          const parsed: unknown = JSON.parse(new TextDecoder().decode(this.streamBytes(stream)));
          return Array.isArray(parsed) ? parsed.map(softErrorOf) : [];
        } catch (error) {
          if (error instanceof SyntaxError) return [];
          throw error;
        }
      }) ?? []
    );
  }

  /** The integer registers of a context of this dump, by name; undefined for a processor that is not known here. */
  registers(context: Uint8Array): Registers | undefined {
    const cpu = cpuOfMinidump(this.system?.processor ?? -1);
    return cpu && context.length >= cpu.context.size ? cpu.decodeContext(viewOf(context)) : undefined;
  }

  #once<T>(name: records.StreamName, read: (stream: Stream) => T): T | undefined {
    if (this.#read.has(name)) return this.#read.get(name) as T | undefined;
    const stream = this.stream(name);
    const value = stream && read(stream);
    this.#read.set(name, value);
    return value;
  }

  /** The entries of a list that begins with their count; some writers pad that to 8 bytes. */
  #list<F extends (typeof records)['thread' | 'threadName' | 'module' | 'memoryDescriptor']>(
    type: F,
    { rva, size, name }: Stream,
  ): Generator<ReturnType<F['read']>> {
    const count = this.#bytes.u32(rva, name as string);
    const padded = size === 8 + count * type.size;
    const list = { rva: rva + (padded ? 8 : 4), count, end: rva + size };
    return this.#bytes.records(type as never, list, name as string) as Generator<ReturnType<F['read']>>;
  }

  #range(
    { start, memory }: { start: bigint; memory: { rva: number; size: number } },
    what: string,
  ): MemoryRange {
    return { start, bytes: this.#bytes.slice(memory.rva, memory.size, what) };
  }

  #memory64({ rva, size }: Stream): MemoryRange[] {
    const count = Number(this.#bytes.u64(rva, 'the memory list'));
    let at = Number(this.#bytes.u64(rva + 8, 'the memory list'));
    const list = { rva: rva + 16, count, end: rva + size };
    return Array.from(this.#bytes.records(records.memoryDescriptor64, list, 'memory'), ({ start, size }) => {
      const bytes = this.#bytes.slice(at, Number(size), 'memory');
      at += Number(size);
      return { start, bytes };
    });
  }

  #dictionary({ rva, size }: { rva: number; size: number }): Record<string, string> {
    const entries: [string, string][] = [];
    if (size === 0) return {};
    const count = this.#bytes.u32(rva, 'the annotations');
    this.#bytes.slice(rva + 4, count * 8, 'the annotations');
    for (let at = rva + 4; at < rva + 4 + count * 8; at += 8) {
      const [key, value] = [this.#bytes.u32(at, ''), this.#bytes.u32(at + 4, '')];
      entries.push([this.#bytes.utf8(key, 'an annotation'), this.#bytes.utf8(value, 'an annotation')]);
    }
    return Object.fromEntries(entries);
  }
}

function softErrorOf(value: unknown): SoftError {
  const { code, message } = (typeof value === 'object' && value !== null ? value : {}) as Partial<SoftError>;
  return typeof code === 'string' && typeof message === 'string'
    ? { code, message }
    : { code: 'OTHER', message: JSON.stringify(value) };
}

/** Reads a minidump. @throws MinidumpError when the bytes are none */
export function readMinidump(bytes: Uint8Array): Minidump {
  return new Minidump(bytes);
}
