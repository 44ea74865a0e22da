import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { countTests } from './test-count.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-count-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function report(...files: { status: string; message?: string; tests: string[] }[]): string {
  const file = join(folder, 'report.json');
  const testResults = files.map(({ status, message = '', tests }, index) => ({
    name: `${index}.test.ts`,
    status,
    message,
    assertionResults: tests.map((status, test) => ({ status, fullName: `test ${test}` })),
  }));
  writeFileSync(file, JSON.stringify({ testResults }));
  return file;
}

test('passed and failed tests are added up over files', () => {
  const file = report(
    { status: 'passed', tests: ['passed', 'passed'] },
    { status: 'failed', tests: ['failed', 'passed'] },
  );
  expect(countTests(file, 1)).toEqual({ passed: 3, failed: 1, complaints: [] });
});

test('a skipped test is a failed one', () => {
  const file = report({ status: 'passed', tests: ['passed', 'skipped', 'todo'] });
  expect(countTests(file, 0)).toMatchObject({ passed: 1, failed: 2 });
});

test('a file that could not be loaded is one failure, with its message', () => {
  const { failed, complaints } = countTests(
    report({ status: 'failed', message: 'SyntaxError: x', tests: [] }),
    1,
  );
  expect(failed).toBe(1);
  expect(complaints).toEqual(['0.test.ts: SyntaxError: x']);
});

test('a failed hook is one failure, however many tests it kept from running', () => {
  const { failed } = countTests(
    report({ status: 'failed', message: 'hook', tests: ['skipped', 'skipped'] }),
    1,
  );
  expect(failed).toBe(1);
});

test('a run without tests or without a report failed', () => {
  expect(countTests(report(), 0)).toMatchObject({ passed: 0, failed: 1 });
  expect(countTests(join(folder, 'none.json'), 1)).toMatchObject({ passed: 0, failed: 1 });
});

test('a runner that fails although its tests pass is a failure', () => {
  const file = report({ status: 'passed', tests: ['passed'] });
  expect(countTests(file, 1)).toMatchObject({ passed: 1, failed: 1 });
  expect(countTests(file, null)).toMatchObject({ passed: 1, failed: 1 });
});
