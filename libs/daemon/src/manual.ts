import { capital, exitRows, optionText, synopsis } from './help.ts';
import { allOptions, flagOf, operandName, type Program } from './program.ts';

/** The man page, in the man(7) macros. */
export function manualPage(program: Program): string {
  const { name, section, summary, description = [], environment, examples } = program;
  return [
    `.TH ${name.toUpperCase()} ${section} "" "vm-tools ${program.version()}" "vm-tools"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(summary)}`,
    '.SH SYNOPSIS',
    `.B ${roff(name)}`,
    roff(synopsis(program).slice(name.length + 1)),
    '.SH DESCRIPTION',
    `${roff(capital(summary))}.`,
    ...description.flatMap((paragraph) => ['.PP', roff(paragraph)]),
    ...Object.entries(program.operands).flatMap(([operandKey, operand]) => [
      '.PP',
      `.I ${roff(operandName(operandKey))}:`,
      roff(operand.description),
      ...(operand.forms ?? []).flatMap(([form, meaning]) => tagged(bold(form), meaning)),
    ]),
    '.SH OPTIONS',
    ...allOptions(program).flatMap(([option, spec]) => {
      const flags = [...(spec.short ? [`-${spec.short}`] : []), flagOf(option)].map(bold).join(', ');
      return tagged(
        spec.value === undefined ? flags : `${flags} \\fI${roff(spec.value)}\\fR`,
        optionText(spec),
      );
    }),
    '.PP',
    'Long options may also be written with underscores in place of the inner hyphens.',
    '.SH EXIT STATUS',
    ...exitRows(program).flatMap(([code, meaning]) => tagged(bold(code), meaning)),
    ...(environment
      ? ['.SH ENVIRONMENT', ...environment.flatMap(([variable, meaning]) => tagged(bold(variable), meaning))]
      : []),
    ...(examples
      ? [
          '.SH EXAMPLES',
          ...examples.flatMap(([command, meaning], index) => [
            ...(index > 0 ? ['.PP'] : []),
            `${roff(capital(meaning))}:`,
            '.PP',
            '.nf',
            '.RS',
            roff(command),
            '.RE',
            '.fi',
          ]),
        ]
      : []),
    '',
  ].join('\n');
}

function tagged(tag: string, text: string): string[] {
  return ['.TP', tag, roff(text)];
}

function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

/** Hyphens that can be copied to a shell, and no line that begins like a request. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/gm, '\\&$1');
}
