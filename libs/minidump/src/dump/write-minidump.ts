import { cpuOfMinidump } from '../cpu/cpus.ts';
import { encodeBuildId } from './code-view.ts';
import type { DumpContents, DumpDsoDebug, LinuxFiles } from './contents.ts';
import * as records from './records.ts';
import { DumpWriter, u32 } from './writer.ts';

/** Lays out a minidump: the chunks that are its bytes, in order. What is not given has no stream. @throws RangeError beyond 4 GiB */
export function writeMinidump(contents: DumpContents): Uint8Array[] {
  const writer = new DumpWriter();
  const { threads, modules, memory, exception, system } = contents;
  if (system) writeSystem(writer, system);
  if (threads) writeThreads(writer, threads);
  if (modules) writeModules(writer, modules);
  if (memory) {
    const list = memory.map((range) => records.memoryDescriptor.encode(writer.memory(range)));
    writer.stream('memoryList', u32(list.length), ...list);
  }
  if (exception) {
    const { tid, context, parameters, ...record } = exception;
    writer.stream(
      'exception',
      records.exceptionStream.encode({
        tid,
        context: writer.place(context),
        exception: {
          ...record,
          nested: 0n,
          padding: 0,
          parameterCount: parameters.length,
          parameters: [...parameters],
        },
      }),
    );
  }
  writeNames(writer, contents);
  writeMemoryInfo(writer, contents);
  writeHandles(writer, contents);
  writeMisc(writer, contents);
  writeFiles(writer, contents.linux ?? {});
  if (contents.dsoDebug)
    writeDsoDebug(writer, contents.dsoDebug, cpuOfMinidump(system?.processor ?? 9)?.bits ?? 64);
  writeCrashpad(writer, contents);
  if (contents.softErrors?.length) {
    writer.stream('softErrors', new TextEncoder().encode(JSON.stringify(contents.softErrors)));
  }
  return writer.finish(contents.time ?? 0);
}

function writeSystem(
  writer: DumpWriter,
  { osVersion, ...system }: NonNullable<DumpContents['system']>,
): void {
  writer.stream(
    'systemInfo',
    records.systemInfo.encode({ ...system, csdVersionRva: writer.text(osVersion) }),
  );
}

function writeThreads(writer: DumpWriter, threads: NonNullable<DumpContents['threads']>): void {
  const list = threads.map(({ tid, context, stack }) =>
    records.thread.encode({
      tid,
      context: writer.place(context),
      ...(stack && { stack: writer.memory(stack) }),
    }),
  );
  writer.stream('threadList', u32(list.length), ...list);
}

function writeModules(writer: DumpWriter, modules: NonNullable<DumpContents['modules']>): void {
  const list = modules.map(({ base, size, name, buildId }) =>
    records.module.encode({
      base,
      size,
      nameRva: writer.text(name),
      ...(buildId && { codeView: writer.place(encodeBuildId(buildId)) }),
    }),
  );
  writer.stream('moduleList', u32(list.length), ...list);
}

function writeNames(writer: DumpWriter, { threadNames }: DumpContents): void {
  if (!threadNames) return;
  const list = [...threadNames].map(([tid, name]) =>
    records.threadName.encode({ tid, nameRva: BigInt(writer.text(name)) }),
  );
  writer.stream('threadNames', u32(list.length), ...list);
}

function writeMemoryInfo(writer: DumpWriter, { memoryInfo }: DumpContents): void {
  if (!memoryInfo) return;
  const { memoryInfoHeader, memoryInfo: record } = records;
  const head = memoryInfoHeader.encode({
    headerSize: memoryInfoHeader.size,
    entrySize: record.size,
    count: BigInt(memoryInfo.length),
  });
  writer.stream('memoryInfoList', head, ...memoryInfo.map((info) => record.encode(info)));
}

function writeHandles(writer: DumpWriter, { handles }: DumpContents): void {
  if (!handles) return;
  const { handleHeader, handle: record } = records;
  const head = handleHeader.encode({
    headerSize: handleHeader.size,
    entrySize: record.size,
    count: handles.length,
  });
  const list = handles.map(({ handle, type, name, access }) =>
    record.encode({
      handle,
      typeNameRva: writer.text(type),
      objectNameRva: writer.text(name),
      grantedAccess: access,
    }),
  );
  writer.stream('handleData', head, ...list);
}

function writeMisc(writer: DumpWriter, { misc }: DumpContents): void {
  if (!misc) return;
  const { processId, times } = misc;
  writer.stream(
    'miscInfo',
    records.miscInfo.encode({
      size: records.miscInfo.size,
      flags: (processId === undefined ? 0 : 1) | (times ? 2 : 0),
      ...(processId !== undefined && { processId }),
      ...(times && { createTime: times.create, userTime: times.user, kernelTime: times.kernel }),
    }),
  );
}

/** Which stream holds which file. */
export const fileStreams = {
  cpuInfo: 'linuxCpuInfo',
  procStatus: 'linuxProcStatus',
  lsbRelease: 'linuxLsbRelease',
  cmdLine: 'linuxCmdLine',
  environ: 'linuxEnviron',
  auxv: 'linuxAuxv',
  maps: 'linuxMaps',
} as const satisfies Record<keyof LinuxFiles, records.StreamName>;

function writeFiles(writer: DumpWriter, files: LinuxFiles): void {
  for (const [file, stream] of Object.entries(fileStreams) as [keyof LinuxFiles, records.StreamName][]) {
    const bytes = files[file];
    if (bytes) writer.stream(stream, bytes);
  }
}

function writeDsoDebug(writer: DumpWriter, debug: DumpDsoDebug, bits: 32 | 64): void {
  const { head, linkMap } = records.dsoDebug[bits];
  const { version, brk, ldbase, dynamic, dynamicBytes, linkMaps } = debug;
  const list = linkMaps.map(({ address, name, dynamic }) =>
    linkMap.encode({ address, nameRva: writer.text(name), dynamic }),
  );
  const table = new Uint8Array(list.length * linkMap.size);
  for (const [index, entry] of list.entries()) table.set(entry, index * linkMap.size);
  const mapRva = list.length > 0 ? writer.place(table).rva : 0;
  writer.stream(
    'linuxDsoDebug',
    head.encode({ version, mapRva, dsoCount: list.length, brk, ldbase, dynamic }),
    dynamicBytes,
  );
}

function writeCrashpad(writer: DumpWriter, { crashpad }: DumpContents): void {
  if (!crashpad) return;
  const entries = Object.entries(crashpad.annotations);
  const dictionary = new Uint8Array(4 + 8 * entries.length);
  const view = new DataView(dictionary.buffer);
  view.setUint32(0, entries.length, true);
  for (const [index, [key, value]] of entries.entries()) {
    view.setUint32(4 + 8 * index, writer.utf8(key), true);
    view.setUint32(8 + 8 * index, writer.utf8(value), true);
  }
  const { reportId, clientId } = crashpad;
  writer.stream(
    'crashpadInfo',
    records.crashpadInfo.encode({ version: 1, reportId, clientId, annotations: writer.place(dictionary) }),
  );
}
