import { type Duplex, duplexPair } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { VmConsole } from './vm-console.ts';

let machine: Duplex;
let console: VmConsole;

beforeEach(() => {
  const [ours, theirs] = duplexPair();
  machine = theirs;
  console = new VmConsole(ours, 1000, {
    timedOut: (what, timeoutMs) => new Error(`${what} timed out after ${timeoutMs}`),
    ended: async (what) => new Error(`${what} ended`),
  });
});

test('output is kept as lines without carriage returns, whatever pieces it comes in', async () => {
  for (const piece of [
    Buffer.from('one\r'),
    Buffer.from('\ntw'),
    Buffer.from('o\r\n\xc3', 'latin1'),
    Buffer.from('\xa9', 'latin1'),
  ])
    machine.write(piece);
  await expect.poll(() => console.text).toBe('one\ntwo\n\u00e9');
  expect(console.tail(2)).toBe('two\n\u00e9');
});

test('the newest output is kept, up to the bound', async () => {
  for (let line = 0; line < 1000; line++) machine.write(`line ${line}\n`);
  await console.waitFor('line 999');
  expect(console.text.length).toBeLessThanOrEqual(1000);
  expect(console.text.length).toBeGreaterThan(700);
  expect(console.text).toMatch(/^line \d+\n(?:.*\n)*line 999\n$/);
});

test('a wait finds what was written before and what comes', async () => {
  machine.write('early\n');
  expect(await console.waitFor('early')).toBe('early');
  const late = console.waitFor(/^l(.)te$/);
  machine.write('x late\nla');
  machine.write('te\n');
  expect(await late).toBe('late');
});

test('only a wait for unfinished lines finds a prompt', async () => {
  const line = console.waitFor('login:');
  const prompt = console.waitFor('login:', { unfinished: true });
  machine.write('login: ');
  expect(await prompt).toBe('login: ');
  machine.write('root\n');
  expect(await line).toBe('login: root');
});

test('a wait ends at its deadline, by its signal, or with the console', async () => {
  await expect(console.waitFor('x', { timeoutMs: 1 })).rejects.toThrow(
    'waiting for "x" on the console timed out after 1',
  );
  const reason = new Error('enough');
  const abort = new AbortController();
  const aborted = console.waitFor('x', { signal: abort.signal });
  abort.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  await expect(console.waitFor('x', { signal: abort.signal })).rejects.toBe(reason);

  const waiting = console.waitFor(/x/);
  machine.end('the last words');
  await expect(waiting).rejects.toThrow('waiting for /x/ on the console ended');
  expect(await console.waitFor('the last')).toBe('the last words');
  await expect(console.waitFor('y')).rejects.toThrow('ended');
});

test('a listener hears everything until it stops listening', async () => {
  let heard = '';
  const stop = console.listen((text) => {
    heard += text;
  });
  machine.write('one\r\n');
  await expect.poll(() => heard).toBe('one\r\n');
  stop();
  machine.write('two\n');
  await console.waitFor('two');
  expect(heard).toBe('one\r\n');
});

test('what is written is typed', async () => {
  machine.setEncoding('utf8');
  console.write('ls\n');
  await expect.poll(() => machine.read() as string | null).toBe('ls\n');
});
