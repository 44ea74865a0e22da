import { expect, test } from 'vitest';
import { checkBeginnings, fuzz, parserNames } from './fuzz.ts';

// The nightly run takes a million for each (fuzz.nightly.test.ts), from seeds that stay: what they found once they would find again.
test.each(parserNames)('20,000 messages of %s are parsed and written without harm', (parser) => {
  // Else it would test nothing but the refusal of nonsense.
  expect(fuzz(parser, 20_000, 0x5151)).toBeGreaterThan(4000);
});

test.each(parserNames)(
  'every beginning of a message of %s is parsed by itself, whatever follows it',
  (parser) => {
    expect(() => checkBeginnings(parser)).not.toThrow();
  },
);
