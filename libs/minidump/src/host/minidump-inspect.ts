#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { readMinidump } from '../dump/minidump.ts';
import { MinidumpError } from '../errors.ts';
import { Command, Exit, UsageError } from './command.ts';
import { describeMinidump } from './describe.ts';
import { describeText } from './describe-text.ts';

const command = new Command({
  name: 'minidump-inspect',
  usage: '[--json] FILE',
  summary: 'Tells what is in a minidump.',
  options: {
    json: { description: 'as JSON; its schema is minidump.schema.json of this package' },
  },
});

void command.run(({ values, operands }) => {
  const [file, ...more] = operands;
  if (file === undefined || more.length > 0) throw new UsageError('name one minidump');
  try {
    const description = describeMinidump(readMinidump(readFileSync(file === '-' ? 0 : file)));
    process.stdout.write(
      values['json'] ? `${JSON.stringify(description, null, 2)}\n` : describeText(description),
    );
    return description.problems.length > 0 ? Exit.dataError : Exit.ok;
  } catch (error) {
    if (error instanceof MinidumpError) return command.fail(`${file}: ${error.message}`, Exit.dataError);
    throw error;
  }
});
