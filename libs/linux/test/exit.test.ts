import { describe, expect, test } from 'vitest';
import { run } from './program.ts';

/** Runs a program that has two connected sockets, `a` and `b`, with something to read in `a`. */
function program(body: string) {
  const source = `
    import { constants, send, socketpair, watch } from '@vm-tools/linux';
    const [a, b] = socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
    send(b, Buffer.from('x'), 0, 1, 0);
    ${body}`;
  const { status, signal, stdout, stderr } = run({ source });
  return { status, signal, stdout, stderr };
}

const clean = { status: 0, signal: null, stdout: '', stderr: '' };

describe('a process with open watches', () => {
  test('exits when told to', () => {
    expect(program('watch(a, { readable: true }, () => process.exit(3));')).toEqual({ ...clean, status: 3 });
    expect(program('watch(a, {}, () => 0); watch(b, { writable: true }, () => 0); process.exit();')).toEqual(
      clean,
    );
  });

  test('lives as long as one is referenced, and no longer', () => {
    expect(program('watch(b, { readable: true }, () => 0).unref();')).toEqual(clean);
    expect(program('watch(b, { readable: true }, () => 0).close();')).toEqual(clean);
    const late = `
      const w = watch(b, { readable: true }, () => { console.log('seen'); w.unref(); });
      w.unref().ref();
      setTimeout(() => send(a, Buffer.from('y'), 0, 1, 0), 50).unref();`;
    expect(program(late)).toEqual({ ...clean, stdout: 'seen\n' });
  });

  test('ends by an exception in a callback as by any other', () => {
    const { status, stderr } = program("watch(a, { readable: true }, () => { throw new Error('mine'); });");
    expect(status).toBe(1);
    expect(stderr).toContain('Error: mine');
  });

  test('goes on if it handles uncaught exceptions', () => {
    const handled = `
      process.on('uncaughtException', (error) => console.log('handled', error));
      let calls = 0;
      const w = watch(a, { readable: true }, () => {
        if (++calls === 3) w.close();
        throw calls;
      });`;
    expect(program(handled)).toEqual({ ...clean, stdout: 'handled 1\nhandled 2\nhandled 3\n' });
  });

  test('is not kept from a signal', () => {
    const killed = program(
      "watch(a, {}, () => 0); setInterval(() => process.kill(process.pid, 'SIGTERM'), 10);",
    );
    expect(killed).toEqual({ ...clean, status: null, signal: 'SIGTERM' });
  });
});
