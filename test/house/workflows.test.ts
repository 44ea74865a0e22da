import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readManifest, repository } from '../../scripts/workspaces.ts';

interface Step {
  readonly uses?: string;
  readonly run?: string;
}
interface Job {
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly 'timeout-minutes'?: number;
}
interface Workflow {
  readonly name: string;
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const files = globSync('.github/workflows/*.{yml,yaml}', { cwd: repository }).sort();
const scripts = Object.keys(readManifest(repository).scripts ?? {});

test('there are workflows', () => {
  expect(files.map((file) => file.replace(/^.*\/|\.yml$/g, ''))).toEqual([
    'ci',
    'nightly',
    'prebuilds',
    'release',
  ]);
});

describe.each(files)('%s', (file) => {
  const text = readFileSync(join(repository, file), 'utf8');
  const workflow = parse(text) as Workflow;
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps ?? []);

  test('uses actions by full commit and says which version that is', () => {
    const used = [...jobs, ...steps]
      .flatMap(({ uses }) => uses ?? [])
      .filter((uses) => !uses.startsWith('./'));
    for (const uses of used) {
      expect(uses).toMatch(/^[\w-]+\/[\w./-]+@[0-9a-f]{40}$/);
      const lines = text.split('\n').filter((line) => line.includes(uses));
      for (const line of lines) expect(line).toMatch(/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  test('names one version for each action', () => {
    const pins = files.flatMap(
      (each) => readFileSync(join(repository, each), 'utf8').match(/[\w-]+\/[\w-]+@[0-9a-f]{40}/g) ?? [],
    );
    const actions = pins.map((pin) => pin.replace(/@.*/, ''));
    expect(new Set(pins).size).toBe(new Set(actions).size);
  });

  test('may by default only read', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
  });

  test('has jobs that end', () => {
    for (const job of jobs) if (!job.uses) expect(job['timeout-minutes']).toBeGreaterThan(0);
  });

  test('runs root commands that exist', () => {
    const named = steps.flatMap(({ run = '' }) =>
      [...run.matchAll(/npm run ([\w:]+)(?! .*--workspaces)/g)].map((match) => match[1]),
    );
    const missing = named.filter((name) => name && !scripts.includes(name) && !name.startsWith('prebuild:'));
    expect(missing).toEqual([]);
  });
});
