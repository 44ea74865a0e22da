import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const folder = new URL('./data/wire/', import.meta.url);

export interface WireRow {
  readonly package: string;
  readonly syntax: string;
  readonly kind: 'message' | 'enum' | 'service' | 'field' | 'value' | 'rpc' | 'reserved';
  readonly container: string;
  readonly name: string;
  readonly number: string;
  readonly type: string;
  readonly modifiers: string;
  readonly in_2020: boolean;
  readonly in_2021: boolean;
  readonly in_2026: boolean;
}

/** The tables, by the name of the .proto file without its ending. */
export const wireTables: ReadonlyMap<string, readonly WireRow[]> = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith('.tsv'))
    .map((file) => [basename(file, '.tsv'), readTable(file)]),
);

function readTable(file: string): WireRow[] {
  const [head = '', ...lines] = readFileSync(new URL(file, folder), 'utf8').trimEnd().split('\n');
  const columns = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t').map((cell, at) => [columns[at] as string, cell] as const);
    const row = Object.fromEntries(cells) as Record<string, string>;
    const years = ['in_2020', 'in_2021', 'in_2026'].map((year) => [year, row[year] === 'y']);
    return { ...row, ...Object.fromEntries(years) } as unknown as WireRow;
  });
}
