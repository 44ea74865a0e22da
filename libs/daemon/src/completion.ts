import { allOptions, flagOf, type OptionSpec, operandName, type Program, type ValueSpec } from './program.ts';

/** A script that teaches a shell the options of a program. */
export function completionScript(program: Program, shell: 'bash' | 'zsh'): string {
  return shell === 'bash' ? bash(program) : zsh(program);
}

function bash(program: Program): string {
  const options = allOptions(program);
  const values = options.flatMap(([name, spec]) =>
    spec.value === undefined ? [] : [`    ${flags(name, spec).join('|')}) ${bashValue(spec)}return ;;`],
  );
  const words = options.map(([name]) => flagOf(name)).join(' ');
  const beginnings = Object.values(program.operands)
    .flatMap((operand) => operand.beginnings ?? [])
    .join(' ');
  return `# bash completion for ${program.name}
_${program.name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
${values.join('\n')}
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${words}' -- "$current")
${
  beginnings
    ? `  else
    mapfile -t COMPREPLY < <(compgen -W '${beginnings}' -- "$current")
    compopt -o nospace 2>/dev/null
`
    : ''
}  fi
}
complete -o default -F _${program.name} ${program.name}
`;
}

function bashValue(spec: ValueSpec): string {
  const generate = spec.choices
    ? `-W '${spec.choices.join(' ')}'`
    : spec.completes === 'directory'
      ? '-d'
      : spec.completes === 'file'
        ? '-f'
        : undefined;
  if (!generate) return '';
  const files = spec.completes ? 'compopt -o filenames 2>/dev/null; ' : '';
  return `${files}mapfile -t COMPREPLY < <(compgen ${generate} -- "$current"); `;
}

function zsh(program: Program): string {
  const options = allOptions(program).map(([name, spec]) => {
    const repeats = spec.value !== undefined && spec.repeatable === true;
    const names = flags(name, spec);
    const text = `${spec.value === undefined ? '' : '='}[${quote(spec.description)}]`;
    const value = spec.value === undefined ? '' : `:${quote(spec.value)}:${zshValue(spec)}`;
    const forms = names.map(
      (flag) => `'${flag}${flag.startsWith('--') ? text : text.replace(/^=/, '+')}${value}'`,
    );
    const prefix = repeats ? "'*'" : names.length > 1 ? `'(${names.join(' ')})'` : '';
    return forms.map((form) => `    ${prefix}${form} \\`).join('\n');
  });
  const operands = Object.entries(program.operands).map(
    ([name, { beginnings = [], optional, repeatable }]) => {
      const begin = `${repeatable ? '*' : ''}:${optional && !repeatable ? ':' : ''}`;
      return `    '${begin}${operandName(name)}:(${beginnings.map(quote).join(' ')})' \\`;
    },
  );
  return `#compdef ${program.name}
# zsh completion for ${program.name}
_${program.name}() {
  _arguments -s -S \\
${[...options, ...operands].join('\n')}
    && return 0
}
# Found in $fpath this file is the body of the function; sourced it only declares it.
if [[ $funcstack[1] == _${program.name} ]]; then
  _${program.name} "$@"
else
  compdef _${program.name} ${program.name}
fi
`;
}

function zshValue(spec: ValueSpec): string {
  if (spec.choices) return `(${spec.choices.join(' ')})`;
  if (spec.completes) return spec.completes === 'directory' ? '_files -/' : '_files';
  return ' ';
}

function flags(name: string, spec: OptionSpec): string[] {
  return [...(spec.short ? [`-${spec.short}`] : []), flagOf(name)];
}

/** Inside single quotes, within a spec of _arguments. */
function quote(text: string): string {
  return text.replace(/[\\[\]:]/g, '\\$&').replaceAll("'", "'\\''");
}
