import { type Duplex, duplexPair } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { QmpError } from '../errors.ts';
import { QmpClient, type QmpEvent } from './qmp-client.ts';

let qemu: Duplex;
let client: QmpClient;
let commands: { execute: string; arguments?: unknown; id: number }[];

beforeEach(() => {
  const [ours, theirs] = duplexPair();
  client = new QmpClient(ours);
  qemu = theirs;
  commands = [];
  qemu.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.trim().split('\r\n'))
      commands.push(JSON.parse(line) as (typeof commands)[number]);
  });
});

function send(...messages: object[]): void {
  qemu.write(messages.map((message) => `${JSON.stringify(message)}\r\n`).join(''));
}

async function commandsSent(count: number): Promise<void> {
  await expect.poll(() => commands.length).toBe(count);
}

test('negotiation awaits the greeting and then leaves the mode', async () => {
  const negotiated = client.negotiate();
  send({ QMP: { version: {}, capabilities: [] } });
  await commandsSent(1);
  expect(commands[0]).toMatchObject({ execute: 'qmp_capabilities', id: 0 });
  send({ return: {}, id: 0 });
  await negotiated;
});

test('answers find their commands by id, in whatever order they come', async () => {
  const first = client.execute('query-status');
  const second = client.execute('human-monitor-command', { 'command-line': 'info' });
  await commandsSent(2);
  send({ return: 'second', id: 1 }, { return: 'first', id: 0 });
  expect(await Promise.all([first, second])).toEqual(['first', 'second']);
  expect(commands[1]?.arguments).toEqual({ 'command-line': 'info' });
});

test('a message may come in pieces', async () => {
  const answer = client.execute('x');
  await commandsSent(1);
  for (const piece of ['{"ret', 'urn": "Grü', 'ße", "id"', ': 0}\r', '\n']) qemu.write(piece);
  expect(await answer).toBe('Grüße');
});

test('an error says command, class and description', async () => {
  const answer = client.execute('device_del', { id: 'x' });
  await commandsSent(1);
  send({ error: { class: 'DeviceNotFound', desc: "Device 'x' not found" }, id: 0 });
  await expect(answer).rejects.toMatchObject({
    name: 'QmpError',
    code: 'ERR_QMP',
    command: 'device_del',
    errorClass: 'DeviceNotFound',
    message: "QMP device_del: Device 'x' not found (DeviceNotFound)",
  });
});

test('events reach every reader, in order and with their time', async () => {
  const readers = [client.events(), client.events()];
  const timestamp = { seconds: 2, microseconds: 500 };
  send({ event: 'STOP', timestamp }, { event: 'RESUME', timestamp, data: { a: 1 } });
  for (const reader of readers) {
    expect((await reader.next()).value).toEqual({ event: 'STOP', data: {}, time: 2000.5 });
    expect((await reader.next()).value).toEqual({ event: 'RESUME', data: { a: 1 }, time: 2000.5 });
  }
});

test('a reader ends by its signal, by leaving its loop, or with the connection', async () => {
  const abort = new AbortController();
  const aborted = client.events({ signal: abort.signal });
  const waiting = aborted.next();
  abort.abort();
  expect(await waiting).toEqual({ value: undefined, done: true });
  expect((await client.events({ signal: abort.signal }).next()).done).toBe(true);

  const seen: QmpEvent[] = [];
  const loop = (async () => {
    for await (const event of client.events()) {
      seen.push(event);
      break;
    }
  })();
  send({ event: 'STOP' }, { event: 'RESUME' });
  await loop;
  expect(seen.map(({ event }) => event)).toEqual(['STOP']);

  const closed = client.events().next();
  qemu.end();
  expect((await closed).done).toBe(true);
  expect((await client.events().next()).done).toBe(true);
});

test('a slow reader loses the oldest events, not memory', async () => {
  const reader = client.events();
  send(...Array.from({ length: 1500 }, (_, index) => ({ event: String(index) })));
  const answer = client.execute('x');
  await commandsSent(1);
  send({ return: {}, id: 0 });
  await answer;
  expect((await reader.next()).value.event).toBe(String(1500 - 1024));
});

test('when the connection ends, what waits and what comes later is refused', async () => {
  const negotiated = client.negotiate();
  const answer = client.execute('query-status');
  qemu.end();
  await expect(answer).rejects.toThrow(QmpError);
  await expect(negotiated).rejects.toMatchObject({ errorClass: 'Closed', command: 'qmp_capabilities' });
  await expect(client.execute('stop')).rejects.toThrow('QMP stop: QEMU closed the connection (Closed)');
});

test('what is not QMP ends the connection', async () => {
  const answer = client.execute('x');
  qemu.write('hello\n');
  await expect(answer).rejects.toThrow('not JSON: hello');
});
