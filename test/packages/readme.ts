/** A program in a README: a fenced block whose info string starts with `ts`. */
export interface ReadmeProgram {
  /** Line of the README on which the program begins, from 1. */
  readonly line: number;
  readonly source: string;
  /** `ts` runs, `ts guest` runs in a guest, `ts types` is only type-checked. */
  readonly kind: 'run' | 'guest' | 'types';
  /** Kernel modules that the guest loads for it: `ts guest vsock_loopback`. */
  readonly modules: readonly string[];
  /** What it must print: the `text` block that follows with nothing but blank lines between. */
  readonly output: string | undefined;
}

/** The programs of a README, in order. Throws on a `ts` block of no known kind: it would go unproven. */
export function programsOf(readme: string): ReadmeProgram[] {
  const programs: ReadmeProgram[] = [];
  const fence = /^```([^\n]*)\n([\s\S]*?)^```[^\S\n]*\n?(?:\s*?^```text[^\S\n]*\n([\s\S]*?)^```)?/gm;
  for (const match of readme.matchAll(fence)) {
    const info = (match[1] ?? '').trim();
    if (!/^(ts|mts|cts|typescript)\b/.test(info)) continue;
    const line = readme.slice(0, match.index).split('\n').length + 1;
    const [kind, ...modules] = info.split(' ').slice(1);
    const source = match[2] ?? '';
    const output = match[3];
    if (kind === undefined) programs.push({ line, source, kind: 'run', modules, output });
    else if (kind === 'guest') programs.push({ line, source, kind, modules, output });
    else if (kind === 'types' && modules.length === 0) programs.push({ line, source, kind, modules, output });
    else
      throw new Error(`README.md:${line}: a block \`${info}\`: write ts, ts guest [MODULE...] or ts types`);
  }
  return programs;
}

/** The packages that the README says to install, from its `npm install` lines. */
export function installsOf(readme: string): string[] {
  return [...readme.matchAll(/^\s*(?:\$ )?npm (?:install|i) ([^\n#]+)/gm)]
    .flatMap((match) => (match[1] ?? '').trim().split(/\s+/))
    .filter((word) => !word.startsWith('-'));
}
