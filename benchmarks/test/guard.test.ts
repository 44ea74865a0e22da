import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeProgram } from '../src/native-program.ts';

// The command as it is used, on real servers. What it finds out does not hang on how fast the machine is: a call that burns
// a millisecond costs a hundred times the floor's, and the lenient baseline below allows a thousand times.
const folder = mkdtempSync(join(tmpdir(), 'vm-tools-guard-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strict = join(folder, 'strict.json');
const lenient = join(folder, 'lenient.json');
const options = '--source --workload getattr,walk --depth 1 --rounds 1 --seconds 0.4 --warmup 0.1'.split(' ');

beforeAll(() => {
  const ratios = { 'getattr, depth 1': 3, 'walk, depth 1': 6 };
  writeFileSync(strict, JSON.stringify({ margin: 1, measured: 'by nobody', ratios }));
  const generous = Object.fromEntries(Object.keys(ratios).map((name) => [name, 1000]));
  writeFileSync(lenient, JSON.stringify({ margin: 0, measured: 'by nobody', ratios: generous }));
});

async function bench(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@vm-tools/source',
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, '../src/main.ts'),
      '9p',
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: folder } },
  );
  const [out, err, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { status, out, err };
}

function leftovers(): string[] {
  return readdirSync(folder).filter((name) => !name.endsWith('.json'));
}

/** Of the processes that were started with something in our folder, as the servers with their sockets are. */
function commandLinesWith(path: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(path));
}

describe('npm run bench -- 9p --guard', () => {
  test('fails, and only after looking again, when our filesystem burns a millisecond in each call', async () => {
    const { status, out, err } = await bench(
      '--guard',
      '--baseline',
      strict,
      '--slow-down-us',
      '1000',
      ...options,
      '--workload',
      'getattr',
    );
    expect(out.match(/REGRESSED/g), out + err).toHaveLength(1);
    expect(out).toContain('guard: FAILED: 1 of 1 cases');
    expect(err.match(/measuring again what seems to have regressed: 1 of 1 cases/g)).toHaveLength(2);
    expect(status).toBe(1);
    expect(leftovers()).toEqual([]);
    expect(commandLinesWith(folder)).toEqual([]);
  });

  test('passes when nothing costs more than the baseline allows', async () => {
    const { status, out, err } = await bench('--guard', '--baseline', lenient, ...options);
    expect(out.match(/\| passed/g), out + err).toHaveLength(2);
    expect(out).toContain('guard: passed');
    expect(err).not.toContain('measuring again');
    expect(status).toBe(0);
  });

  test('says at once that there is no baseline', async () => {
    const { status, out, err } = await bench('--guard', '--baseline', join(folder, 'absent.json'));
    expect(err).toMatch(/no baseline can be read.*absent\.json.*--update-baseline/);
    expect({ status, out }).toEqual({ status: 1, out: '' });
  });
});

test('an interrupted run ends its servers and leaves nothing behind', async () => {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@vm-tools/source',
      join(import.meta.dirname, '../src/main.ts'),
      '9p',
      '--source',
      '--short',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TMPDIR: folder } },
  );
  let said = '';
  for await (const chunk of child.stderr.setEncoding('utf8')) {
    said += chunk;
    if (said.includes('round 1/') && !child.killed) child.kill('SIGTERM');
  }
  if (child.exitCode === null) await once(child, 'exit');
  expect(said).toContain('interrupted by SIGTERM');
  expect(child.exitCode).toBe(143);
  expect(leftovers()).toEqual([]);
  expect(commandLinesWith(folder)).toEqual([]);
});

describe('native programs', () => {
  test('are compiled once', () => {
    const program = nativeProgram('limit9p');
    const { mtimeMs } = statSync(program);
    expect(nativeProgram('limit9p')).toBe(program);
    expect(statSync(program).mtimeMs).toBe(mtimeMs);
  });

  test('in a variant are other programs', () => {
    const variant = nativeProgram('p9load', {
      from: '#define SMALL_ENTRIES 30 ',
      to: '#define SMALL_ENTRIES 31 ',
    });
    expect(variant).not.toBe(nativeProgram('p9load'));
  });

  test('have no variant where the source does not say what is to be replaced', () => {
    expect(() => nativeProgram('p9load', { from: '#define NO_SUCH 1', to: '' })).toThrow(
      /"#define NO_SUCH 1" once/,
    );
  });
});
