import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { benchmarks, repository } from '../folders.ts';
import { readmes, withSummary } from './readme.ts';
import { readResults, rendered, writeResults } from './results.ts';

const committed = join(benchmarks, 'results');
const results = readResults(committed);
const scratch = mkdtempSync(join(tmpdir(), 'vm-tools-results-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const REMEDY = 'npm run bench -- 9p --render';

test('the committed tables and charts are those of the committed data', () => {
  const files = rendered(results);
  expect(
    readdirSync(committed)
      .filter((file) => /^9p.*(md|svg)$/.test(file))
      .sort(),
  ).toEqual(Object.keys(files).sort());
  for (const [file, text] of Object.entries(files)) {
    expect(readFileSync(join(committed, file), 'utf8'), REMEDY).toBe(text);
  }
});

test.each(readmes)('$file shows the committed data', (readme) => {
  const text = readFileSync(join(repository, readme.file), 'utf8');
  expect(withSummary(text, readme, results), REMEDY).toBe(text);
  expect(text).toContain('| walk of three names');
  for (const chart of readme.charts) expect(text).toContain(`(benchmarks/results/9p-${chart}.svg)`);
});

test('a README without its two comments is refused', () => {
  const [readme] = readmes;
  if (readme === undefined) throw new Error('there is no README');
  expect(() => withSummary('# Title\n', readme, results)).toThrow(
    /README\.md must hold these two lines once each/,
  );
});

test('what is written replaces the charts of an earlier run, and can be read again', () => {
  writeFileSync(join(scratch, '9p-old.svg'), '');
  writeFileSync(join(scratch, 'other.svg'), '');
  writeResults(scratch, results);
  expect(readdirSync(scratch).sort()).toEqual(
    ['9p.json', 'other.svg', ...Object.keys(rendered(results))].sort(),
  );
  expect(readResults(scratch)).toEqual(results);
});
