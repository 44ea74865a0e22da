import { ExitCode, exitMeanings } from './exit-status.ts';
import { allOptions, flagOf, type OptionSpec, operandName, type Program } from './program.ts';

const WIDTH = 100;
/** Where the second column begins at most; what is longer has its text on the next line. */
const COLUMN = 34;

/** What `--help` prints, ending with a newline. */
export function helpText(program: Program): string {
  const parts = [`Usage: ${synopsis(program)}`, fill(`${capital(program.summary)}.`, 0)];
  for (const paragraph of program.description ?? []) parts.push(fill(paragraph, 0));
  for (const [name, { description, forms = [] }] of Object.entries(program.operands)) {
    parts.push(`${operandName(name)}: ${description}\n${rows(forms)}`.trimEnd());
  }
  const optionRows = allOptions(program).map(([name, spec]): [string, string] => [
    `${spec.short ? `-${spec.short}, ` : '    '}${longForm(name, spec)}`,
    optionText(spec),
  ]);
  parts.push(`Options:\n${rows(optionRows)}`);
  if (program.environment) parts.push(`Environment:\n${rows(program.environment)}`);
  parts.push(
    `Exit status:\n${rows(exitRows(program).map(([code, meaning]) => [code.padStart(3), meaning]))}`,
  );
  if (program.examples) {
    const examples = program.examples.map(
      ([command, meaning]) => `${fill(`${meaning}:`, 2)}\n      ${command}`,
    );
    parts.push(`Examples:\n${examples.join('\n')}`);
  }
  return `${parts.join('\n\n')}\n`;
}

/** `9s [OPTION]... --root DIR LISTEN` */
export function synopsis(program: Program): string {
  const required = allOptions(program)
    .filter(([, spec]) => spec.value !== undefined && spec.required)
    .map(([name, spec]) => longForm(name, spec));
  const operands = Object.entries(program.operands).map(([name, { optional, repeatable }]) => {
    const dots = repeatable ? '...' : '';
    return optional ? `[${operandName(name)}]${dots}` : `${operandName(name)}${dots}`;
  });
  return [program.name, '[OPTION]...', ...required, ...operands].join(' ');
}

/** `--root DIR` */
export function longForm(name: string, spec: OptionSpec): string {
  return spec.value === undefined ? flagOf(name) : `${flagOf(name)} ${spec.value}`;
}

/** The description with what follows from the rest of the table. */
export function optionText(spec: OptionSpec): string {
  const notes = [
    spec.value !== undefined && spec.required ? 'required' : '',
    spec.value !== undefined && spec.repeatable ? 'may be repeated' : '',
    spec.value !== undefined && spec.default !== undefined ? `default: ${spec.default}` : '',
  ].filter((note) => note !== '');
  return notes.length > 0 ? `${spec.description} (${notes.join(', ')})` : spec.description;
}

export function exitRows({
  exitCodes = Object.values(ExitCode),
}: Program): [code: string, meaning: string][] {
  return exitCodes.map((code) => [String(code), exitMeanings[code]]);
}

export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Two columns, the second one aligned and wrapped. */
function rows(pairs: readonly (readonly [string, string])[]): string {
  const longest = Math.max(0, ...pairs.map(([left]) => left.length + 4).filter((end) => end <= COLUMN));
  return pairs
    .map(([left, right]) => {
      const text = fill(right, longest);
      const first = `  ${left}`;
      return first.length + 2 <= longest ? first + text.slice(first.length) : `${first}\n${text}`;
    })
    .join('\n');
}

/** Wraps words to the width, every line indented. */
function fill(text: string, indent: number): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => ' '.repeat(indent) + line).join('\n');
}
