#!/usr/bin/env node
import { ExitCode, runProgram } from '@vm-tools/daemon';
import { notifierProgram } from './notifier-program.ts';

/** Of the original program. */
const USAGE = 1;

void runProgram(notifierProgram, async ({ options, operands, log }) => {
  const { CrashHost } = await import('@vm-tools/crash-report/guest');
  await using host = new CrashHost({ address: options.host });
  try {
    await host.sendFailure(operands.service);
  } catch (error) {
    // A service manager can do nothing about it.
    log.warn('the host was not told', { service: operands.service, error });
  }
  return ExitCode.ok;
}).then(() => {
  if (process.exitCode === ExitCode.usage) process.exitCode = USAGE;
});
