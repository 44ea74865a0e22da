import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generate, generatedFolder } from '../scripts/generate.ts';

test('the committed code is what protoc-gen-es makes of the .proto files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vm-rpc-generated-'));
  try {
    generate(folder);
    // The remedy, should it differ: npm run generate -w libs/vm-rpc
    expect(textsOf(generatedFolder)).toEqual(textsOf(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function textsOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return Object.fromEntries(files.sort().map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
}
