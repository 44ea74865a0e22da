import { spawnSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { scratchDirectory } from './scratch-directory.ts';

/** What a program prints that finds the sources, and no package beside them. */
function run(program: string): string {
  const folder = scratchDirectory();
  cpSync(fileURLToPath(new URL('../src', import.meta.url)), join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  writeFileSync(join(folder, 'program.ts'), program);
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'program.ts'],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );
  expect(stderr).toBe('');
  return stdout.replaceAll(pathToFileURL(folder).href, 'file:///here');
}

test('without @vm-tools/linux the door to the host is one error, that says what, where and what to do', () => {
  const output = run(`
    import { MissingPackageError } from './src/index.ts';
    const error = await import('./src/host/index.ts').catch((error: unknown) => error);
    if (!(error instanceof MissingPackageError)) throw error;
    const { name, code, packageName, message, cause } = error;
    console.log(JSON.stringify([name, code, packageName, message, (cause as NodeJS.ErrnoException).code]));
  `);
  expect(JSON.parse(output)).toStrictEqual([
    'MissingPackageError',
    'ERR_MISSING_PACKAGE',
    '@vm-tools/linux',
    '@vm-tools/p9-protocol/host needs @vm-tools/linux, which cannot be found from file:///here/src/host/linux.ts; ' +
      'npm install @vm-tools/linux, without --omit=optional',
    'MODULE_NOT_FOUND',
  ]);
});

test('without @vm-tools/linux all else works', () => {
  const output = run(`
    import { MessageChannel } from 'node:worker_threads';
    import { Client, MemoryFileSystem, messagePortStream, serve } from './src/index.ts';
    import './src/conformance/index.ts';
    const { port1, port2 } = new MessageChannel();
    serve(messagePortStream(port1), new MemoryFileSystem({ tree: { file: 'content' } }));
    const client = await Client.connect({ stream: messagePortStream(port2) });
    console.log(String(Buffer.from(await (await client.attach()).readFile('file'))));
    client.close();
  `);
  expect(output).toBe('content\n');
});
