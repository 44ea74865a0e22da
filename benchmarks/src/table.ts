/** A Markdown table that is also readable as it is. Columns whose header ends with a colon are set to the right, without it. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const titles = header.map((title) => title.replace(/:$/, ''));
  const isRight = header.map((title) => title.endsWith(':'));
  const widths = titles.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths
      .map((width, column) => {
        const cell = (cells[column] ?? '').replaceAll('|', '\\|');
        return isRight[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(' | ')} |`;
  const rule = widths.map((width, column) =>
    isRight[column] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  return [line(titles), line(rule), ...rows.map(line)].join('\n');
}

/** A number with about three digits that count, thousands apart. */
export function figure(value: number | undefined): string {
  if (value === undefined) return '';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function ratio(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(2);
}
