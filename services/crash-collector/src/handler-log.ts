import { fstatSync, statSync, writeFileSync } from 'node:fs';
import { createLog, type Log, type LogOptions } from '@vm-tools/daemon';

/** The log of a handler: to the kernel's own, where whoever started it has left it nothing else, as the kernel does. */
export function handlerLog(options: LogOptions): Log {
  if (!isNowhere(2)) return createLog(options);
  const { program } = options;
  // With a priority in front, as the kernel reads it.
  const write = (line: string) => toKernel(line.replace(/^<\d>/, `$&${program}[${process.pid}]: `));
  return createLog({ ...options, format: 'text', journal: true, write });
}

function isNowhere(fd: number): boolean {
  try {
    return fstatSync(fd).rdev === statSync('/dev/null').rdev;
  } catch {
    return true;
  }
}

function toKernel(line: string): boolean {
  try {
    writeFileSync('/dev/kmsg', line);
    return true;
  } catch {
    return false;
  }
}
