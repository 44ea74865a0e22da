import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootGuest, guestProgram } from '@vm-tools/guest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'example-vsock-'));
const children: ChildProcess[] = [];

afterAll(async () => {
  for (const child of children) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  rmSync(folder, { recursive: true });
});

/** Starts a server of these; resolves when it listens. */
async function serve(name: string, ...args: string[]): Promise<ChildProcess> {
  const argv = ['--conditions=@vm-tools/source', file(name), 'serve', ...args];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(name: string, args: string[], input = ''): Promise<Result> {
  return new Promise((resolve) => {
    const argv = ['--conditions=@vm-tools/source', file(name), ...args];
    const child = execFile(process.execPath, argv, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
    child.stdin?.on('error', () => undefined).end(input);
  });
}

describe('on one machine', () => {
  test('echo: what is asked comes back, and the server ends when it is told to', async () => {
    const address = `unix:${folder}/echo.sock`;
    const server = await serve('./echo.ts', address);
    expect(await run('./echo.ts', ['ask', address, 'hello', 'there'])).toMatchObject({
      stdout: 'hello there\n',
      code: 0,
    });
    server.kill('SIGTERM');
    expect(await once(server, 'exit')).toEqual([0, null]);
  });

  test('http: a request is answered', async () => {
    const address = `unix:${folder}/http.sock`;
    const server = await serve('./http.ts', address);
    expect((await run('./http.ts', ['get', address, '/status'])).stdout).toBe(
      '200 {"path":"/status","peer":"unix"}\n',
    );
    server.kill('SIGTERM');
    expect(await once(server, 'exit')).toEqual([0, null]);
    expect(await run('./http.ts', ['get', address, '/'])).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('cannot connect to unix:'),
    });
  });

  test('firecracker: standard input goes to the port, what it says to standard output', async () => {
    const path = join(folder, 'v.sock');
    const vm = createServer({ allowHalfOpen: true }, (socket) => {
      socket.once('data', (line) => {
        if (!String(line).startsWith('CONNECT 52\n')) return socket.end();
        socket.write('OK 1073741824\n');
        socket.unshift((line as Buffer).subarray('CONNECT 52\n'.length));
        return socket.pipe(socket);
      });
    });
    await new Promise<void>((resolve) => vm.listen(path, resolve));
    expect(await run('./firecracker.ts', [path, '52'], 'for the guest')).toEqual({
      code: 0,
      stdout: 'for the guest',
      stderr: '',
    });
    expect(await run('./firecracker.ts', [path, '53'])).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('see that a program of the guest listens on that port'),
    });
    await new Promise((resolve) => vm.close(resolve));
  });

  test.each(['./echo.ts', './http.ts', './firecracker.ts'])('%s tells its use', async (name) => {
    expect(await run(name, ['x'])).toMatchObject({ code: 64, stderr: expect.stringMatching(/^usage: /) });
  });
});

describe('in a guest', () => {
  const programs = ['echo', 'http'].map((name) => guestProgram(file(`./${name}.ts`), name));
  let guest: Awaited<ReturnType<typeof bootGuest>>;

  beforeAll(async () => {
    const files = Object.assign({}, ...programs.map((program) => program.files)) as Record<
      string,
      Uint8Array
    >;
    guest = await bootGuest({ node: true, modules: ['vsock_loopback'], files });
  });
  afterAll(() => guest?.[Symbol.asyncDispose]());

  test.each([
    ['echo', ['vsock:8000'], ['ask', 'vsock:local:8000', 'hello'], 'hello\n'],
    ['http', ['vsock:8080', '1'], ['get', 'vsock:local:8080', '/x'], '200 {"path":"/x","peer":1}\n'],
  ])('%s works over AF_VSOCK', async (name, serving, asking, answer) => {
    const path = programs[['echo', 'http'].indexOf(name)]?.path as string;
    const server = await guest.spawn(['/usr/local/bin/node', path, 'serve', ...serving]);
    await once(server.stdout, 'data');
    expect(await guest.run(['/usr/local/bin/node', path, ...asking])).toBe(answer);
    server.kill('SIGTERM');
    expect(await server.exited).toEqual({ status: 0, signal: null });
  });
});
