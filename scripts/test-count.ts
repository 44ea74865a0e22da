import { existsSync, readFileSync } from 'node:fs';

/** The part of vitest's JSON report that is counted. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

export interface TestCount {
  readonly passed: number;
  readonly failed: number;
  /** What counts as failed although no assertion did: one line each. */
  readonly complaints: readonly string[];
}

/**
 * Counts the tests of a report. A run that ended badly is never clean: a file that could not be loaded, a test that was
 * skipped, a run without tests, a runner that failed although its tests did not, each count as one that failed.
 */
export function countTests(reportFile: string, exitStatus: number | null): TestCount {
  const complaints: string[] = [];
  let passed = 0;
  let failed = 0;
  const files = existsSync(reportFile)
    ? (JSON.parse(readFileSync(reportFile, 'utf8')) as Report).testResults
    : [];
  for (const { name, status, message, assertionResults } of files) {
    const failedHere = assertionResults.filter((test) => test.status === 'failed').length;
    const passedHere = assertionResults.filter((test) => test.status === 'passed').length;
    passed += passedHere;
    failed += failedHere;
    for (const test of assertionResults) {
      if (test.status === 'passed' || test.status === 'failed') continue;
      // After a failed hook the tests behind it are skipped; the file's own failure tells that.
      if (status === 'failed' && failedHere === 0) continue;
      complaints.push(`${name}: "${test.fullName}" is ${test.status}, which counts as failed`);
    }
    if (status === 'failed' && failedHere === 0)
      complaints.push(`${name}: ${message || 'failed outside its tests'}`);
  }
  if (passed + failed + complaints.length === 0) complaints.push('no test ran');
  failed += complaints.length;
  if (exitStatus !== 0 && failed === 0) {
    complaints.push(`the test runner failed (exit status ${exitStatus}) although no test did`);
    failed++;
  }
  return { passed, failed, complaints };
}
