import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { RemoteNode } from '../src/client/remote-node.ts';
import { text, utf8 } from '../src/conformance/check.ts';
import { P9Error } from '../src/errno.ts';
import { OpenFlags } from '../src/wire/flags.ts';
import { scratchDirectory } from './scratch-directory.ts';
import { type ServedClient, serveHostToClient } from './served.ts';

/*
 * Another process exchanges directories and symlinks that lead outside, atomically and as fast as it can, while a client walks, opens, makes, renames
 * and removes by the same names. Every call either finds the directory or is refused; nothing outside is reached.
 */

const TRIES = 3000;
/** Of each of the two ways an attempt can end there are so many, however the kernel shares out the CPU. */
const OF_EACH = 50;

const open: ServedClient[] = [];
let swapper: ChildProcess | undefined;

afterEach(async () => {
  swapper?.kill('SIGKILL');
  for (const served of open.splice(0)) await served.end();
});

async function swap(directory: string, ...names: string[]): Promise<() => Promise<number>> {
  const program = fileURLToPath(new URL('./fixtures/swapper.ts', import.meta.url));
  const flags = ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, program, directory, ...names], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  swapper = child;
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await once(child.stdout, 'data');
  return async () => {
    child.stdin.end();
    await once(child, 'close');
    return Number(output.split('\n')[1]);
  };
}

/** `root` is served. In it `d` and `link` change places all the time, and so do `e` and `up`; both links lead to `outside`. */
function stage() {
  const base = scratchDirectory();
  const root = join(base, 'root');
  const outside = join(base, 'outside');
  for (const path of [join(root, 'd', 'sub'), join(root, 'e', 'sub'), join(outside, 'sub')]) {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'file'), 'inside');
    writeFileSync(join(path, '..', 'file'), 'inside');
  }
  for (const name of ['file', 'sub/file']) writeFileSync(join(outside, name), 'outside');
  symlinkSync(outside, join(root, 'link'));
  symlinkSync('../outside', join(root, 'up'));
  const state = () =>
    [base, outside, join(outside, 'sub'), join(outside, 'file'), join(outside, 'sub', 'file')].map((path) => {
      const { mode, uid, gid, size, nlink, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
      const content = statSync(path).isDirectory() ? readdirSync(path).sort() : readFileSync(path, 'utf8');
      return { path, mode, uid, gid, size, nlink, mtimeNs, ctimeNs, content };
    });
  const inodes = new Set(state().map(({ path }) => statSync(path, { bigint: true }).ino));
  return { root, state, inodes };
}

/** What a client tries; each gives the text it has read, if any. */
const attempts: Record<string, (root: RemoteNode, index: number) => Promise<string | undefined>> = {
  read: async (root) => text(await root.readFile('d/file')),
  'read deeper': async (root) => text(await root.readFile('e/sub/file')),
  'look at': async (root) => {
    const node = await root.walk('d/sub');
    await node.getattr();
    await node.clunk();
    return undefined;
  },
  write: async (root) => {
    const file = await root.open('d/sub/file', { flags: OpenFlags.writeOnly });
    await file.write(utf8('inside'), 0);
    await file.clunk();
    return undefined;
  },
  create: async (root, index) => {
    await (await root.create(['e', `new-${index}`], { flags: OpenFlags.readWrite })).clunk();
    await root.unlink(['e', `new-${index}`]);
    return undefined;
  },
  'make a directory': async (root, index) => {
    await root.mkdir(['d', `dir-${index}`]);
    await root.unlink(['d', `dir-${index}`], { directory: true });
    return undefined;
  },
  rename: async (root) => {
    await root.renameat('d/file', 'd/moved');
    await root.renameat('d/moved', 'd/file');
    return undefined;
  },
  'rename into another': async (root, index) => {
    await root.writeFile(`from-${index}`, utf8('inside'));
    await root.renameat(`from-${index}`, ['e', 'sub', `to-${index}`]);
    return undefined;
  },
  link: async (root, index) => {
    const file = await root.walk('e/sub/file');
    try {
      await root.link(file, ['d', `hard-${index}`]);
    } finally {
      await file.clunk();
    }
    return undefined;
  },
  'change attributes': async (root) => {
    await root.setattr('d/file', { mode: 0o640, mtime: { seconds: 1, nanoseconds: 1 } });
    return undefined;
  },
  'set an attribute': async (root) => {
    await root.setxattr('d/sub/file', 'user.x', utf8('x'));
    return undefined;
  },
};

describe.each(['stream', 'thread'] as const)(
  'directories and symlinks that another process exchanges, over a %s',
  (transport) => {
    test(`are never a way out, in ${TRIES} tries and more`, async () => {
      const { root: path, state, inodes } = stage();
      const before = state();
      const served = await serveHostToClient(transport, { root: path });
      open.push(served);
      const stop = await swap(path, 'd', 'link', 'e', 'up');
      const kinds = Object.entries(attempts);
      const done = { inside: 0, refused: 0 };
      for (
        let index = 0;
        index < TRIES || Math.min(done.inside, done.refused) < OF_EACH;
        index += kinds.length
      ) {
        const outcomes = await Promise.allSettled(kinds.map(([, attempt]) => attempt(served.root, index)));
        for (const [at, outcome] of outcomes.entries()) {
          if (outcome.status === 'fulfilled') {
            expect([undefined, 'inside']).toContain(outcome.value);
            done.inside++;
          } else {
            expect(outcome.reason, kinds[at]?.[0]).toBeInstanceOf(P9Error);
            done.refused++;
          }
        }
        const listed = await served.root.walk('d').then((node) => node.getattr());
        expect(inodes.has(listed.qid.path)).toBe(false);
      }
      expect(await stop()).toBeGreaterThan(100);
      expect(state()).toStrictEqual(before);
    });
  },
);
