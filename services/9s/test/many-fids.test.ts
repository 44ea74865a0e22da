import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, P9Error } from '@vm-tools/p9-protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Bench } from './nine-s.ts';

const DESCRIPTORS = 4096;
const FIDS = 100_000;
const FILES = 1000;
/** The client's own fids are below. */
const FIRST = 1000;

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clear());

it(`a client that holds ${FIDS} fids keeps working where there are ${DESCRIPTORS} descriptors, and too many open files are ENFILE`, async () => {
  for (let index = 0; index < FILES; index++)
    writeFileSync(join(bench.root, `file-${index}`), `content ${index}`);
  const args = ['--root', bench.root, bench.listen];
  const nineS = bench.start(args, { before: `ulimit -n ${DESCRIPTORS}` });
  await nineS.logged('listening');
  const client = await Client.connect({ stream: await bench.connect() });
  const root = await client.attach();
  const { raw } = client;
  const nameOf = (index: number) => new TextEncoder().encode(`file-${index % FILES}`);
  const each = async (count: number, act: (fid: number, index: number) => Promise<unknown>) => {
    // As many at once as a guest's kernel would have under way.
    for (let start = 0; start < count; start += 500) {
      const some = Array.from({ length: Math.min(500, count - start) }, (_, at) => start + at);
      await Promise.all(some.map((index) => act(FIRST + index, index)));
    }
  };
  await each(FIDS, (newfid, index) =>
    raw.call({ message: 'Twalk', fid: root.fid, newfid, wnames: [nameOf(index)] }),
  );
  expect(readdirSync(`/proc/${nineS.child.pid}/fd`).length).toBeLessThanOrEqual(DESCRIPTORS);
  // Every fid still stands for its file; the first of them have long given up their descriptors.
  await each(10_000, async (fid, index) => {
    const at = index * 10;
    const { size } = await raw.call({ message: 'Tgetattr', fid: fid + at - index, mask: 0x7ffn });
    expect(Number(size)).toBe(`content ${at % FILES}`.length);
  });
  // Open files cannot give theirs up: when there are no more, that is said, to this one request.
  const open: number[] = [];
  let refusal: unknown;
  for (let fid = FIRST; refusal === undefined && open.length < DESCRIPTORS; fid++) {
    await raw.call({ message: 'Tlopen', fid, flags: 0 }).then(
      () => open.push(fid),
      (error: unknown) => {
        refusal = error;
      },
    );
  }
  expect(refusal).toBeInstanceOf(P9Error);
  expect(refusal).toMatchObject({ code: 'ENFILE' });
  // Each has a descriptor for the node and one for the open file.
  expect(open.length).toBeGreaterThan(0.45 * DESCRIPTORS);
  const [first = 0] = open;
  const { data } = await raw.call({ message: 'Tread', fid: first, offset: 0n, count: 100 });
  expect(new TextDecoder().decode(data)).toBe('content 0');
  for (const fid of open) await raw.call({ message: 'Tclunk', fid });
  await root.writeFile('new', new TextEncoder().encode('all goes on'));
  const closed = new Set(open);
  await each(FIDS, async (fid) => {
    if (!closed.has(fid)) await raw.call({ message: 'Tclunk', fid });
  });
  expect(await nineS.terminate()).toMatchObject({ code: 0 });
});
