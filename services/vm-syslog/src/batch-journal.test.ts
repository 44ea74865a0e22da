import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RotatingFile } from '@vm-tools/syslog';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { BatchJournal } from './batch-journal.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-journal-'));
  path = join(folder, 'journal');
  return () => rmSync(folder, { recursive: true });
});

const place = (ino: number, size: number) => ({ ino, size });

/** What is left of a file of that size when a journal has looked at it. */
function recovered(journal: BatchJournal, ino: number, size: number): number {
  const file = {
    ...place(ino, size),
    truncate(to: number) {
      this.size = to;
    },
  };
  journal.recover(file);
  return file.size;
}

test('a batch that was begun and of which all is there is known', () => {
  using journal = new BatchJournal(path);
  expect(journal.has('a', 1n)).toBe(false);
  journal.begin('a', 1n, place(7, 100), 50);
  journal.close();
  using next = new BatchJournal(path);
  expect(recovered(next, 7, 150)).toBe(150);
  expect([1n, 2n].map((number) => next.has('a', number))).toEqual([true, false]);
  expect(next.has('b', 1n)).toBe(false);
});

test.each([
  ['nothing', 100],
  ['a part', 149],
])('one of which %s is there is new', (_, size) => {
  const journal = new BatchJournal(path);
  journal.begin('a', 3n, place(7, 0), 100);
  journal.begin('b', 9n, place(7, 100), 50);
  journal.close();
  using next = new BatchJournal(path);
  expect(recovered(next, 7, size)).toBe(100);
  expect([next.has('a', 3n), next.has('b', 9n), next.has('b', 8n)]).toEqual([true, false, true]);
});

test('one of another file, or that was settled, is whole, however large the file is', () => {
  const journal = new BatchJournal(path);
  journal.begin('a', 1n, place(7, 1000), 50);
  journal.settle();
  journal.begin('b', 1n, place(8, 1000), 50);
  journal.close();
  using next = new BatchJournal(path);
  expect(recovered(next, 7, 0)).toBe(0);
  expect([next.has('a', 1n), next.has('b', 1n)]).toEqual([true, true]);
});

test('one that was taken back is new', () => {
  const journal = new BatchJournal(path);
  journal.begin('a', 1n, place(7, 0), 50);
  journal.begin('a', 2n, place(7, 50), 50);
  journal.takeBack('a');
  expect([journal.has('a', 1n), journal.has('a', 2n)]).toEqual([true, false]);
  // What others have written since is not its.
  journal.begin('b', 1n, place(7, 50), 70);
  journal.close();
  using next = new BatchJournal(path);
  expect(recovered(next, 7, 120)).toBe(120);
  expect([next.has('a', 1n), next.has('a', 2n), next.has('b', 1n)]).toEqual([true, false, true]);
});

test('one that cannot be noted is new', () => {
  // Node.js ignores SIGXFSZ: a write beyond the limit fails with EFBIG.
  const program = `
    import { execFileSync } from 'node:child_process';
    import { BatchJournal } from './src/batch-journal.ts';
    const journal = new BatchJournal(process.argv[1]);
    const begin = (stream, number) => {
      try { journal.begin(stream, number, { ino: 7, size: 0 }, 50); } catch ({ code }) { console.log(code); }
    };
    begin('a', 1n);
    execFileSync('prlimit', ['--pid', process.pid, '--fsize=100']);
    begin('a', 2n);
    begin('b', 1n);
    console.log(journal.has('a', 1n), journal.has('a', 2n), journal.has('b', 1n));`;
  const node = ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'];
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...node, '--input-type=module', '-e', program, path],
    {
      cwd: new URL('..', import.meta.url),
      encoding: 'utf8',
    },
  );
  expect({ stdout, stderr }).toEqual({ stdout: 'EFBIG\nEFBIG\ntrue false false\n', stderr: '' });
});

test('streams that were used last are remembered', () => {
  const journal = new BatchJournal(path);
  for (let each = 0; each < 200; each++) {
    journal.begin(`${each}`.padEnd(80, '.'), 5n, place(7, 0), 0);
    journal.begin('busy', BigInt(each + 1), place(7, 0), 0);
  }
  journal.close();
  using next = new BatchJournal(path);
  recovered(next, 7, 0);
  expect(next.has('busy', 200n)).toBe(true);
  const known = Array.from({ length: 200 }, (_, each) => next.has(`${each}`.padEnd(80, '.'), 5n));
  expect(known.lastIndexOf(false)).toBe(200 - 63 - 1);
  expect(known.filter(Boolean)).toHaveLength(63);
});

test('a slot that is damaged is an empty one, and a file that is none is begun anew', () => {
  const journal = new BatchJournal(path);
  journal.begin('a', 1n, place(7, 0), 0);
  journal.begin('b', 1n, place(7, 0), 0);
  journal.close();
  const bytes = readFileSync(path);
  bytes[bytes.indexOf('a', 8)] = 0x78;
  writeFileSync(path, bytes);
  const damaged = new BatchJournal(path);
  expect([damaged.has('a', 1n), damaged.has('x', 1n), damaged.has('b', 1n)]).toEqual([false, false, true]);
  damaged.close();
  for (const content of ['', 'short', 'x'.repeat(10_000)]) {
    writeFileSync(path, content);
    using other = new BatchJournal(path);
    expect(other.has('b', 1n)).toBe(false);
    other.begin('b', 1n, place(7, 0), 0);
    other.close();
    using again = new BatchJournal(path);
    expect(again.has('b', 1n)).toBe(true);
  }
});

test('a journal is one process’s at a time', () => {
  using _journal = new BatchJournal(path);
  expect(() => new BatchJournal(path)).toThrow(/another process's/);
});

// What a forwarder does, killed at any moment, and a guest that sends what it has no answer to again.
test('whenever it is killed, every batch stands in the files once, whole and in its order', () => {
  const action = fc.record({
    stream: fc.constantFrom('user', 'kernel'),
    length: fc.integer({ min: 1, max: 60 }),
    fate: fc.oneof(
      { weight: 3, arbitrary: fc.constant('answered' as const) },
      { weight: 1, arbitrary: fc.constantFrom('unanswered', 'unwritten', 'full', 'rotated', 'line') },
      { weight: 2, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
    ),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const site = mkdtempSync(join(folder, 'run-'));
      const expected: string[] = [];
      const last = { user: 0n, kernel: 0n };
      let journal: BatchJournal;
      let file: RotatingFile;
      const open = () => {
        journal = new BatchJournal(join(site, 'journal'));
        file = new RotatingFile(join(site, 'log'), {
          ...{ maxBytes: 200, kept: 1000, daily: false },
          onBeforeRotate: () => journal.settle(),
        });
        journal.recover(file);
      };
      // Nothing is settled, written or cut: the kernel closes what the process had open.
      const kill = () => {
        void file.close();
        journal.close();
        open();
      };
      const begin = (stream: 'user' | 'kernel', number: bigint, bytes: Buffer) => {
        file.rotateIfDue(bytes.length);
        journal.begin(stream, number, file, bytes.length);
      };
      open();
      for (const { stream, length, fate } of actions) {
        const number = last[stream] + 1n;
        const text = `${`${stream} ${number} `.padEnd(length, '.')}\n`;
        const bytes = Buffer.from(text);
        if (fate === 'rotated') file!.rotate();
        else if (fate === 'line') {
          file!.append(Buffer.from('line\n'));
          expected.push('line\n');
        } else {
          if (fate === 'full') {
            begin(stream, number, bytes);
            journal!.takeBack(stream);
          } else if (fate === 'unwritten' || typeof fate === 'number') {
            begin(stream, number, bytes);
            if (typeof fate === 'number') file!.write(bytes, 0, Math.floor(fate * bytes.length));
            kill();
          } else if (fate === 'unanswered') {
            begin(stream, number, bytes);
            file!.write(bytes, 0, bytes.length);
            kill();
          }
          if (!journal!.has(stream, number)) {
            begin(stream, number, bytes);
            file!.write(bytes, 0, bytes.length);
          }
          expect(journal!.has(stream, number)).toBe(true);
          last[stream] = number;
          expected.push(text);
        }
      }
      void file!.close();
      journal!.close();
      expect(contents(site)).toBe(expected.join(''));
    }),
    { numRuns: 150 },
  );
});

/** All files, the oldest first. */
function contents(site: string): string {
  const texts: string[] = [];
  for (let index = 0; ; index++) {
    try {
      texts.unshift(readFileSync(join(site, index === 0 ? 'log' : `log.${index}`), 'utf8'));
    } catch {
      return texts.join('');
    }
  }
}
