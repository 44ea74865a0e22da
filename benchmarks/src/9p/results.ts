import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../folders.ts';
import { svg } from './chart.ts';
import { readmes, withSummary } from './readme.ts';
import { chartFile, type Results, report } from './report.ts';

/** Writes results as data, tables and charts, in place of those that are there. */
export function writeResults(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) {
    if (/^9p-.*\.svg$/.test(file)) rmSync(join(folder, file));
  }
  writeJson(join(folder, '9p.json'), results);
  for (const [file, text] of Object.entries(rendered(readResults(folder)))) {
    writeFileSync(join(folder, file), text);
  }
}

/** The files beside the data, by name: all that is in them is in the data. */
export function rendered(results: Results): Record<string, string> {
  return {
    '9p.md': report(results),
    ...Object.fromEntries(results.charts.map((chart) => [chartFile(chart), svg(chart)])),
  };
}

/** @throws a system error when there are none */
export function readResults(folder: string): Results {
  return JSON.parse(readFileSync(join(folder, '9p.json'), 'utf8')) as Results;
}

/** Brings the summaries in the READMEs up to date. */
export function writeReadme(folder: string): void {
  const results = readResults(folder);
  for (const readme of readmes) {
    const path = join(repository, readme.file);
    writeFileSync(path, withSummary(readFileSync(path, 'utf8'), readme, results));
  }
}

export function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, roundNumbers, 2)}\n`);
}

/** No figure is known better than this. */
function roundNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
