import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('./fixtures/many-fids.ts', import.meta.url));

test('a client that holds many more fids than there may be descriptors keeps working', () => {
  const output = execFileSync(
    'sh',
    ['-c', 'ulimit -n 256; exec "$@"', 'sh', process.execPath, '--conditions=@vm-tools/source', program],
    { encoding: 'utf8' },
  );
  expect(output).toBe('all nodes were usable\n');
});
