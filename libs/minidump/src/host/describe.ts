import { signalName } from '../core/signal.ts';
import { cpus } from '../cpu/cpus.ts';
import { debugId, hex } from '../dump/code-view.ts';
import type { Minidump } from '../dump/minidump.ts';
import { DUMP_REQUESTED } from '../dump/records.ts';
import { MinidumpError, type SoftError } from '../errors.ts';

/** What `minidump-inspect --json` prints: minidump.schema.json describes it. Addresses and registers are texts, `0x7f...`. */
export interface MinidumpDescription {
  readonly created: string;
  readonly streams: readonly { readonly type: string; readonly name: string | null; readonly size: number }[];
  readonly system: {
    readonly cpu: string | null;
    readonly processors: number;
    readonly os: string;
  } | null;
  readonly process: { readonly pid: number | null; readonly commandLine: readonly string[] };
  readonly exception: {
    readonly thread: number;
    readonly code: number;
    readonly name: string | null;
    readonly flags: number;
    readonly address: string;
  } | null;
  readonly threads: readonly {
    readonly id: number;
    readonly name: string | null;
    /** The module that it was in, and the distance from where that begins: `/bin/true+0x1f`. */
    readonly location: string | null;
    readonly registers: Readonly<Record<string, string>>;
    readonly stack: { readonly start: string; readonly size: number } | null;
  }[];
  readonly modules: readonly {
    readonly name: string;
    readonly base: string;
    readonly size: number;
    readonly buildId: string | null;
    readonly debugId: string | null;
  }[];
  readonly memory: readonly { readonly start: string; readonly size: number }[];
  readonly handles: readonly { readonly handle: string; readonly type: string; readonly name: string }[];
  readonly linkMaps: readonly { readonly address: string; readonly name: string }[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly softErrors: readonly SoftError[];
  /** What of the dump could not be read. */
  readonly problems: readonly string[];
}

/** Everything that a minidump tells, in plain values. */
export function describeMinidump(dump: Minidump): MinidumpDescription {
  const problems: string[] = [];
  const part = <T>(read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof MinidumpError || error instanceof RangeError)) throw error;
      problems.push(error.message);
      return otherwise;
    }
  };
  const modules = part(() => dump.modules, []);
  return {
    created: new Date(dump.time * 1000).toISOString(),
    streams: dump.streams.map(({ type, name, size }) => ({
      type: `0x${type.toString(16)}`,
      name: name ?? null,
      size,
    })),
    system: part(() => systemOf(dump), null),
    process: part(() => processOf(dump), { pid: null, commandLine: [] }),
    exception: part(() => exceptionOf(dump), null),
    threads: part(() => threadsOf(dump, modules), []),
    modules: modules.map(({ name, base, size, buildId }) => ({
      name,
      base: address(base),
      size,
      buildId: buildId ? hex(buildId) : null,
      debugId: buildId ? debugId(buildId) : null,
    })),
    memory: part(
      () => dump.memory.map(({ start, bytes }) => ({ start: address(start), size: bytes.length })),
      [],
    ),
    handles: part(
      () => dump.handles.map(({ handle, type, name }) => ({ handle: `${handle}`, type, name })),
      [],
    ),
    linkMaps: part(
      () => dump.dsoDebug?.linkMaps.map(({ address: at, name }) => ({ address: address(at), name })) ?? [],
      [],
    ),
    annotations: part(() => dump.crashpad?.annotations ?? {}, {}),
    softErrors: part(() => dump.softErrors, []),
    problems,
  };
}

function systemOf(dump: Minidump): MinidumpDescription['system'] {
  const { system, cpu } = dump;
  return system ? { cpu: cpu ?? null, processors: system.processorCount, os: system.osVersion } : null;
}

function processOf(dump: Minidump): MinidumpDescription['process'] {
  const text = new TextDecoder().decode(dump.linux.cmdLine ?? new Uint8Array(0));
  return {
    pid: dump.misc?.processId ?? null,
    commandLine: text === '' ? [] : text.replace(/\0+$/, '').split('\0'),
  };
}

function exceptionOf(dump: Minidump): MinidumpDescription['exception'] {
  const { exception } = dump;
  if (!exception) return null;
  const { tid, code, flags } = exception;
  const name = code === DUMP_REQUESTED ? 'dump requested' : (signalName(code) ?? null);
  return { thread: tid, code, name, flags: flags | 0, address: address(exception.address) };
}

function threadsOf(dump: Minidump, modules: Minidump['modules']): MinidumpDescription['threads'] {
  const names = dump.threadNames;
  const cpu = cpus.find(({ name }) => name === dump.cpu);
  return dump.threads.map(({ tid, context, stack }) => {
    const width = (cpu?.bits ?? 64) / 4;
    const values = dump.registers(context);
    const registers = [...(values ?? [])].map(([name, value]) => [
      name,
      `0x${value.toString(16).padStart(width, '0')}`,
    ]);
    return {
      id: tid,
      name: names.get(tid) ?? null,
      location: (cpu && locate(values?.get(cpu.ip), modules)) ?? null,
      registers: Object.fromEntries(registers),
      stack: stack ? { start: address(stack.start), size: stack.bytes.length } : null,
    };
  });
}

function locate(ip: bigint | undefined, modules: Minidump['modules']): string | undefined {
  if (ip === undefined) return undefined;
  const module = modules.find(({ base, size }) => base <= ip && ip < base + BigInt(size));
  return module && `${module.name}+${address(ip - module.base)}`;
}

function address(value: bigint): string {
  return `0x${value.toString(16)}`;
}
