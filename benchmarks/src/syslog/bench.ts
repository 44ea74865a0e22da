import { parseValues, UsageError } from '../command-line.ts';
import { benchDevLog } from './dev-log.ts';
import { benchFlood } from './flood.ts';
import { benchParser } from './parser.ts';
import type { Part } from './part.ts';

const parts: Readonly<Record<string, Part>> = {
  parser: benchParser,
  devlog: benchDevLog,
  flood: benchFlood,
};

const help = `usage: npm run bench -- syslog [--only PART] [--rounds N] [--json]

What it costs to take in messages and to write them.

  parser  messages of /dev/log, of the network and of the kernel: parsed, and written as lines; one core, without input and output
  devlog  /dev/log to a file, a million messages from eight senders, beside rsyslogd and syslog-ng of Debian; 45 s a round, as root
  flood   how long a quiet sender's messages take beside one that floods, through the aggregator

  --only PART  ${Object.keys(parts).join(', ')}: default all of them
  --rounds N   how often (default 5); the figures are medians
  --json       results as JSON in place of tables`;

/** `npm run bench -- syslog`. Resolves to an exit status. */
export async function benchSyslog(args: string[], signal: AbortSignal): Promise<number> {
  const values = parseValues(args, {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new UsageError(`--rounds: ${values.rounds} is no number`);
  if (values.only !== '' && !Object.hasOwn(parts, values.only))
    throw new UsageError(`--only: ${values.only} is none of ${Object.keys(parts).join(', ')}`);
  if (values.help) {
    console.log(help);
    return 0;
  }
  const results: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(parts)) {
    if (values.only !== '' && values.only !== name) continue;
    const { rows, table } = await part({ rounds, signal });
    results[name] = rows;
    if (!values.json) console.log(`${table}\n`);
  }
  if (values.json) console.log(JSON.stringify(results, null, 2));
  return 0;
}
