import { afterEach, expect, test, vi } from 'vitest';
import { runProgram, runTool, ToolError, toolPath } from './tool.ts';

afterEach(() => vi.unstubAllEnvs());

test('a tool that is absent is told with the command that installs it', () => {
  vi.stubEnv('PATH', '/nonexistent');
  expect(() => toolPath('busybox')).toThrow(ToolError);
  expect(() => toolPath('busybox')).toThrow(/^busybox: no such program; .* apt-get install busybox-static$/);
});

test('a tool of the sbin folders is found by users who do not have them in their PATH', () => {
  vi.stubEnv('PATH', '/usr/bin');
  expect(toolPath('mke2fs')).toMatch(/^(\/usr)?\/sbin\/mke2fs$/);
});

test('a tool that fails is told with its arguments and what it wrote', async () => {
  await expect(runTool('dpkg-deb', ['--info', '/nonexistent.deb'])).rejects.toMatchObject({
    code: 'ERR_TOOL_FAILED',
    message: expect.stringMatching(/dpkg-deb --info \/nonexistent\.deb ended with 2:\n.*No such file/),
  });
});

test('a tool ends by its signal', async () => {
  const reason = new Error('enough');
  const abort = new AbortController();
  const running = runProgram('/bin/sleep', ['1000'], { signal: abort.signal });
  setTimeout(() => abort.abort(reason), 10);
  await expect(running).rejects.toBe(reason);
});
