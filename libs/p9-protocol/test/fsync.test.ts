import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OpenFlags } from '../src/wire/flags.ts';
import { scratchDirectory } from './scratch-directory.ts';
import { serveHostToClient, type Transport } from './served.ts';

test.each<Transport>(['thread', 'stream'])(
  'fsync and fdatasync over a %s reach the file and hold up nothing',
  async (transport) => {
    const root = scratchDirectory();
    writeFileSync(join(root, 'file'), '');
    const served = await serveHostToClient(transport, { root });
    const file = await served.root.open('file', { flags: OpenFlags.readWrite });
    for (let round = 0; round < 20; round++) {
      await file.write(new TextEncoder().encode(`round ${round}\n`), round * 10);
      const synced = Promise.all([file.fsync(), file.fsync({ dataOnly: true })]);
      expect((await file.getattr()).size).toBeGreaterThan(0n);
      await synced;
    }
    await file[Symbol.asyncDispose]();
    await served.end();
  },
);
