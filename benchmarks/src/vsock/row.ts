/** What is compared, and what is aimed at. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly other: string;
  readonly ratio: number;
  /** Of single rounds. */
  readonly least: number;
  readonly greatest: number;
  readonly target?: number;
  /** Whether the ratio is to be at least the target, or at most. */
  readonly isAtLeast?: boolean;
}

/** As a table in Markdown. */
export function rowTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.what,
    row.ours,
    row.other,
    row.ratio.toFixed(2),
    `${row.least.toFixed(2)}-${row.greatest.toFixed(2)}`,
    verdict(row),
  ]);
  return [
    ['', 'ours', 'beside', 'ratio', 'of single rounds', 'target'],
    ['---', '--:', '--:', '--:', '--:', '---'],
    ...lines,
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function verdict({ ratio, target, isAtLeast = true }: Row): string {
  if (target === undefined) return '';
  const isReached = isAtLeast ? ratio >= target : ratio <= target;
  return `${isAtLeast ? 'at least' : 'at most'} ${target.toFixed(2)}: ${isReached ? 'reached' : 'MISSED'}`;
}
