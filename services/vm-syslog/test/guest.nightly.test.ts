import { test } from 'vitest';
import { killedTwice } from './killed-twice.ts';
import { LoggingGuest } from './logging-guest.ts';

test('200,000 messages of 8 senders: the forwarder is killed twice, and none is lost, repeated or out of order', {
  timeout: 900_000,
}, async () => {
  await using site = await LoggingGuest.boot();
  await killedTwice(site, { processes: 8, messages: 25_000 });
});
