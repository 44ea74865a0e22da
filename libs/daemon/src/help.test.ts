import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { sample } from '../test/fixtures/sample.ts';
import { completionScript, helpText, manualPage } from './index.ts';

const snapshot = (name: string) => new URL(`../test/snapshots/${name}`, import.meta.url).pathname;

describe('the help text', () => {
  it('is what it was', async () => {
    await expect(helpText(sample)).toMatchFileSnapshot(snapshot('help.txt'));
  });

  it('fits into 100 columns', () => {
    for (const line of helpText(sample).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

describe('the man page', () => {
  it('is what it was', async () => {
    await expect(manualPage(sample)).toMatchFileSnapshot(snapshot('sampled.8'));
  });
});

describe('completion for bash', () => {
  /** What bash would offer for the last word of a line. */
  function complete(...words: string[]): string[] {
    const script = `${completionScript(sample, 'bash')}
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sampled 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', cwd: '/' });
    return output.split('\n').filter((line) => line !== '');
  }

  it('is what it was', async () => {
    await expect(completionScript(sample, 'bash')).toMatchFileSnapshot(snapshot('sampled.bash'));
  });

  it('offers options, values, directories and the beginnings of operands', () => {
    expect(complete('sampled', '--re')).toEqual(['--read-only']);
    expect(complete('sampled', '--log-level', 'i')).toEqual(['info']);
    expect(complete('sampled', '-r', '/pro')).toEqual(['/proc']);
    expect(complete('sampled', '--socket-gid', '')).toEqual([]);
    expect(complete('sampled', 'un')).toEqual(['unix:']);
    expect(complete('sampled', '')).toEqual(['unix:', 'tcp:']);
  });
});

describe('completion for zsh', () => {
  it('is what it was', async () => {
    await expect(completionScript(sample, 'zsh')).toMatchFileSnapshot(snapshot('sampled.zsh'));
  });
});
