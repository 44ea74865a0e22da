import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Folder } from '../test/fake-vm.ts';
import { dialWithRetry, listen, VsockError } from './index.ts';

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder[Symbol.asyncDispose]());

describe('dialWithRetry', () => {
  it('waits for a socket that is not there yet', async () => {
    const address = `unix:${folder.path}/s`;
    const { promise, resolve } = Promise.withResolvers<void>();
    const seen: [string, number][] = [];
    const dialing = dialWithRetry(address, {
      minDelayMs: 1,
      onRetry: (error, attempt) => {
        seen.push([(error as VsockError).code, attempt]);
        if (attempt === 3) resolve();
      },
    });
    await promise;
    await using _listener = await listen(address, {}, (socket) => socket.end('hello'));
    expect(await text(await dialing)).toBe('hello');
    expect(seen.slice(0, 3)).toEqual([
      ['ENOENT', 1],
      ['ENOENT', 2],
      ['ENOENT', 3],
    ]);
  });

  it('waits for a port of a VM that boots', async () => {
    let asked = 0;
    const path = await folder.vm((_, socket) => socket.end(++asked < 4 ? '' : 'OK 1\nup'));
    expect(await text(await dialWithRetry(`hybrid:${path}:1024`, { minDelayMs: 1 }))).toBe('up');
    expect(asked).toBe(4);
  });

  it('gives up at its deadline with the last error', async () => {
    const dialing = dialWithRetry(`unix:${folder.path}/none`, { deadlineMs: 60, minDelayMs: 5 });
    await expect(dialing).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('gives up with its signal, also between two attempts', async () => {
    const abort = new AbortController();
    const dialing = dialWithRetry(`unix:${folder.path}/none`, {
      signal: abort.signal,
      minDelayMs: 60_000,
      maxDelayMs: 60_000,
      deadlineMs: 0,
      onRetry: () => abort.abort(new Error('enough')),
    });
    await expect(dialing).rejects.toThrow('enough');
  });

  it('does not wait where waiting does not help', async () => {
    await expect(dialWithRetry('vsock:any:1')).rejects.toMatchObject({ code: 'ERR_ADDRESS_PURPOSE' });
    const path = await folder.vm((_, socket) => socket.end('no hybrid socket\n'));
    await expect(dialWithRetry(`hybrid:${path}:1`)).rejects.toMatchObject({ code: 'ERR_HYBRID_PROTOCOL' });
    const isRetriable = (error: unknown) => !(error instanceof VsockError && error.code === 'ENOENT');
    await expect(dialWithRetry(`unix:${folder.path}/none`, { isRetriable })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
