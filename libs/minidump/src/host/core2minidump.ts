#!/usr/bin/env node
import { closeSync, openSync } from 'node:fs';
import { CoreError } from '../errors.ts';
import { Command, Exit, UsageError } from './command.ts';
import { type ConvertCoreOptions, convertCore } from './convert-core.ts';
import { OutputFile } from './output-file.ts';
import { ProgressBar } from './progress-bar.ts';

const command = new Command({
  name: 'core2minidump',
  usage: '[OPTION]... [CORE | -]',
  summary: 'Converts an ELF core, of a file or of standard input, to a minidump while it flows by.',
  options: {
    proc: { value: 'DIR', description: "the process's directory: /proc/PID, or a copy of it" },
    output: {
      short: 'o',
      value: 'FILE',
      description: 'where to put the minidump; standard output unless given',
    },
    budget: {
      value: 'BYTES',
      description: 'the most bytes of memory in the minidump; 25165824 unless given',
    },
    annotation: { value: 'KEY=VALUE', repeatable: true, description: 'put this into the minidump, too' },
    environ: { description: 'put the environment into the minidump' },
    sanitize: { description: 'blank what on the stacks is neither small nor an address' },
    quiet: { short: 'q', description: 'do not tell what the core lacks' },
  },
});

void command.run(async ({ values, operands }) => {
  if (operands.length > 1) throw new UsageError(`one core at a time, not ${operands.length}`);
  const core = operands[0] ?? '-';
  if (core === '-' && process.stdin.isTTY)
    throw new UsageError('the core is a terminal: name a file, or pipe it in');
  if (values['output'] === undefined && process.stdout.isTTY) {
    throw new UsageError('a minidump is not for a terminal: name a file by --output');
  }
  const options = optionsOf(values);
  const progress = process.stderr.isTTY ? new ProgressBar(process.stderr) : undefined;
  const output = new OutputFile(values['output'] as string | undefined);
  const input = core === '-' ? 0 : openSync(core, 'r');
  try {
    const summary = await convertCore(input, (chunk) => output.write(chunk), {
      ...options,
      onProgress: (state) => progress?.show(state),
    });
    progress?.clear();
    if (!values['quiet']) {
      for (const { code, message } of summary.softErrors)
        process.stderr.write(`${command.name}: ${code}: ${message}\n`);
    }
    return Exit.ok;
  } catch (error) {
    progress?.clear();
    output.discard();
    if (error instanceof CoreError) return command.fail(`${core}: ${error.message}`, Exit.dataError);
    throw error;
  } finally {
    output.close();
    if (input !== 0) closeSync(input);
  }
});

function optionsOf(values: Record<string, unknown>): ConvertCoreOptions {
  const { proc, budget, environ, sanitize, annotation = [] } = values;
  if (budget !== undefined && !/^\d{1,9}$/.test(budget as string)) {
    throw new UsageError(`--budget: ${budget} is no number of bytes below 1000000000`);
  }
  const annotations = (annotation as string[]).map((text) => {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === undefined || value === undefined)
      throw new UsageError(`--annotation: ${text} is not KEY=VALUE`);
    return [key, value];
  });
  return {
    ...(proc !== undefined && { proc: proc as string }),
    ...(budget !== undefined && { budget: Number(budget) }),
    environ: environ === true,
    sanitize: sanitize === true,
    annotations: Object.fromEntries(annotations),
  };
}
