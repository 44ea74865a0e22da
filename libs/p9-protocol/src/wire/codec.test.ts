import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryAnyMessage, arbitraryMessage, messageNames } from '../../test/arbitrary-message.ts';
import { decode, encode, encodeInto, messageNameOf, sizeOf } from './codec.ts';
import { type Message, type MessageName, messages } from './messages.ts';
import { Qid } from './qid.ts';
import { WireError } from './wire-error.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const fromHex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const utf8 = (text: string) => new TextEncoder().encode(text);

function wireError(run: () => unknown): WireError {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  throw new Error('expected a WireError, nothing was thrown');
}

describe('frames known byte by byte', () => {
  test.each<[string, Message]>([
    [
      '15000000 64 ffff 00200000 0800 3950323030302e4c',
      { message: 'Tversion', tag: 0xffff, msize: 8192, version: utf8('9P2000.L') },
    ],
    [
      '1b000000 6e 0100 05000000 06000000 0200 0300757372 03006c6962',
      { message: 'Twalk', tag: 1, fid: 5, newfid: 6, wnames: [utf8('usr'), utf8('lib')] },
    ],
    ['0b000000 07 0200 02000000', { message: 'Rlerror', tag: 2, ecode: 2 }],
    [
      '16000000 6f 0300 0100 80 01000000 efcdab8967452301',
      { message: 'Rwalk', tag: 3, wqids: [new Qid(0x80, 1, 0x0123456789abcdefn)] },
    ],
    [
      '1a000000 76 0400 07000000 0001000000000000 03000000 ff00fe',
      { message: 'Twrite', tag: 4, fid: 7, offset: 256n, data: fromHex('ff00fe') },
    ],
    ['07000000 79 0500', { message: 'Rclunk', tag: 5 }],
  ])('%s', (bytes, message) => {
    expect(hex(encode(message))).toBe(bytes.replaceAll(' ', ''));
    expect(decode(fromHex(bytes))).toStrictEqual(message);
  });
});

describe('every message of the table', () => {
  test.each(messageNames)('%s decodes to what was encoded, from sizeOf bytes', (name) => {
    fc.assert(
      fc.property(arbitraryMessage(name), fc.nat(9), (message, offset) => {
        const frame = encode(message as Message);
        expect(frame.length).toBe(sizeOf(message as Message));
        expect(decode(frame)).toStrictEqual(message);

        const buffer = new Uint8Array(offset + frame.length + 3).fill(0xaa);
        expect(encodeInto(message as Message, buffer, offset)).toBe(frame.length);
        expect(hex(buffer.subarray(offset, offset + frame.length))).toBe(hex(frame));
        expect([...buffer.subarray(0, offset), ...buffer.subarray(-3)].every((byte) => byte === 0xaa)).toBe(
          true,
        );
      }),
      { numRuns: 60 },
    );
  });

  test.each(messageNames)('%s cut short anywhere is refused', (name) => {
    fc.assert(
      fc.property(arbitraryMessage(name), (message) => {
        const frame = encode(message as Message);
        for (let length = 0; length < frame.length; length++) {
          const cut = frame.slice(0, length);
          if (length >= 4) new DataView(cut.buffer).setUint32(0, length, true);
          const error = wireError(() => decode(cut));
          expect(error.code).toBe(length < 7 ? 'ERR_P9_FRAME_SIZE' : 'ERR_P9_FIELD_OVERRUN');
          expect(error.offset).toBeLessThanOrEqual(length);
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe('any bytes', () => {
  const claimOwnSize = (bytes: Uint8Array) => {
    if (bytes.length >= 4) new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length, true);
    return bytes;
  };
  const knownType = fc.constantFrom(...messageNames.map((name) => messages[name][0] as number));
  const frames = fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    fc.uint8Array({ maxLength: 60 }).map(claimOwnSize),
    fc.tuple(fc.uint8Array({ minLength: 7, maxLength: 90 }), knownType).map(([bytes, type]) => {
      bytes[4] = type;
      return claimOwnSize(bytes);
    }),
    // A good frame with a few bytes changed, and some added.
    {
      weight: 4,
      arbitrary: fc
        .tuple(
          arbitraryAnyMessage,
          fc.array(fc.tuple(fc.nat(), fc.nat(0xff)), { maxLength: 3 }),
          fc.uint8Array({ maxLength: 3 }),
        )
        .map(([message, changes, added]) => {
          const bytes = new Uint8Array([...encode(message), ...added]);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          return claimOwnSize(bytes);
        }),
    },
  );

  test('decode, and then encode to the same bytes again, or give a WireError that says where', () => {
    let decoded = 0;
    let refused = 0;
    fc.assert(
      fc.property(frames, (bytes) => {
        let message: Message;
        try {
          message = decode(bytes);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          refused++;
          expect(error.offset).toBeGreaterThanOrEqual(0);
          expect(error.offset).toBeLessThanOrEqual(bytes.length);
          expect(error.message).toContain(`at byte ${error.offset}: expected ${error.expected}`);
          return;
        }
        decoded++;
        expect(hex(encode(message))).toBe(hex(bytes));
      }),
      { numRuns: 20_000, seed: 0x9b2000 },
    );
    expect(decoded).toBeGreaterThan(2000);
    expect(refused).toBeGreaterThan(2000);
  });

  test.each<[string, string, string, string]>([
    ['Twalk', '6e', '01000000 02000000 ffff', '65535 strings'],
    ['Twalk', '6e', '01000000 02000000 0100 ffff', '65535 bytes'],
    ['Rwalk', '6f', 'ffff', '851955 bytes'],
    ['Rread', '75', 'ffffffff', '4294967295 bytes'],
    ['Twrite', '76', '01000000 0000000000000000 ffffffff', '4294967295 bytes'],
  ])(
    '%s (%s) whose prefix claims more than the frame holds is refused at once',
    (name, type, body, claim) => {
      const rest = fromHex(`${type} 0100 ${body}`);
      const error = wireError(() => decode(claimOwnSize(new Uint8Array([0, 0, 0, 0, ...rest]))));
      expect(error).toMatchObject({ code: 'ERR_P9_FIELD_OVERRUN', messageName: name });
      expect(error.expected).toBe(claim);
    },
  );

  test('strings and data are views of the frame', () => {
    const frame = encode({ message: 'Rread', tag: 1, data: new Uint8Array(100) });
    const message = decode(frame) as Message<'Rread'>;
    expect(message.data.buffer).toBe(frame.buffer);
    expect(message.data.byteOffset).toBe(11);
  });

  test('and plain ones, also when the frame is a Buffer', () => {
    const frame = Buffer.from(encode({ message: 'Rread', tag: 1, data: new Uint8Array([1, 2]) }));
    expect(decode(frame)).toStrictEqual({ message: 'Rread', tag: 1, data: new Uint8Array([1, 2]) });
  });
});

describe('errors', () => {
  test('name message, field, offset, and the sizes', () => {
    const frame = encode({ message: 'Twalk', tag: 1, fid: 1, newfid: 2, wnames: [utf8('a'), utf8('bc')] });
    frame[20] = 200;
    expect(wireError(() => decode(frame))).toMatchObject({
      name: 'WireError',
      code: 'ERR_P9_FIELD_OVERRUN',
      offset: 22,
      messageName: 'Twalk',
      field: 'wnames[1]',
      message: 'Twalk.wnames[1] at byte 22: expected 200 bytes, found 2 left (frame of 24)',
    });
  });

  test('a size that is not the length of the frame', () => {
    expect(wireError(() => decode(fromHex('08000000 79 0500')))).toMatchObject({
      code: 'ERR_P9_FRAME_SIZE',
      offset: 0,
      messageName: 'Rclunk',
      message: 'Rclunk at byte 0: expected size 7, the length of the frame, found size 8',
    });
  });

  test.each([6, 106, 107, 0, 255])('type %i, which 9P2000.L does not have', (type) => {
    const frame = fromHex('07000000 00 0500');
    frame[4] = type;
    expect(messageNameOf(type)).toBeUndefined();
    expect(wireError(() => decode(frame))).toMatchObject({ code: 'ERR_P9_MESSAGE_TYPE', offset: 4 });
  });

  test('bytes after the last field', () => {
    const error = wireError(() => decode(fromHex('09000000 79 0500 0000')));
    expect(error).toMatchObject({ code: 'ERR_P9_TRAILING_BYTES', offset: 7 });
    expect(error.message).toBe(
      'Rclunk at byte 7: expected the end of the frame, found 2 more bytes (frame of 9)',
    );
  });

  test.each<[string, Message, string]>([
    ['a fid below 0', { message: 'Tclunk', tag: 1, fid: -1 }, 'fid'],
    ['a fid of 2^32', { message: 'Tclunk', tag: 1, fid: 2 ** 32 }, 'fid'],
    ['a fraction', { message: 'Tclunk', tag: 1, fid: 0.5 }, 'fid'],
    ['NaN', { message: 'Tclunk', tag: 1, fid: Number.NaN }, 'fid'],
    ['a tag of 17 bits', { message: 'Tclunk', tag: 0x10000, fid: 1 }, 'tag'],
    ['a missing field', { message: 'Tclunk', tag: 1 } as Message, 'fid'],
    ['a u8 of 256', { message: 'Rlock', tag: 1, status: 256 }, 'status'],
    ['an offset below 0', { message: 'Tread', tag: 1, fid: 1, offset: -1n, count: 1 }, 'offset'],
    ['an offset of 2^64', { message: 'Tread', tag: 1, fid: 1, offset: 2n ** 64n, count: 1 }, 'offset'],
    ['a number as u64', { message: 'Tread', tag: 1, fid: 1, offset: 1 as never, count: 1 }, 'offset'],
    ['a string of 64 KiB', { message: 'Rreadlink', tag: 1, target: new Uint8Array(65536) }, 'target'],
    ['text as bytes', { message: 'Rreadlink', tag: 1, target: 'x' as never }, 'target'],
    ['no list', { message: 'Rwalk', tag: 1, wqids: null as never }, 'wqids'],
    ['65,536 qids', { message: 'Rwalk', tag: 1, wqids: new Array(65536).fill(new Qid()) }, 'wqids'],
    ['no qid', { message: 'Rattach', tag: 1, qid: {} as never }, 'qid'],
    [
      'a long name in a walk',
      { message: 'Twalk', tag: 1, fid: 1, newfid: 2, wnames: [new Uint8Array(1), new Uint8Array(65536)] },
      'wnames[1]',
    ],
  ])('encoding %s', (_, message, field) => {
    const error = wireError(() => encode(message));
    expect(error).toMatchObject({ code: 'ERR_P9_FIELD_VALUE', messageName: message.message, field });
  });

  test('encoding into a buffer that is too small, or beyond its ends, writes nothing', () => {
    const buffer = new Uint8Array(20);
    const message: Message = { message: 'Tclunk', tag: 1, fid: 1 };
    for (const offset of [10, 20, 21, -1]) {
      const error = wireError(() => encodeInto(message, buffer, offset));
      expect(error).toMatchObject({ code: 'ERR_P9_BUFFER_SIZE', messageName: 'Tclunk' });
      expect(error.expected).toBe('11 bytes of room');
    }
    expect(buffer).toStrictEqual(new Uint8Array(20));
  });

  test('encoding a message that does not exist', () => {
    const message = { message: 'Topen', tag: 1 } as unknown as Message;
    expect(wireError(() => sizeOf(message))).toMatchObject({ code: 'ERR_P9_MESSAGE_TYPE', found: 'Topen' });
  });
});

test('messageNameOf inverts the table', () => {
  for (const name of messageNames) expect(messageNameOf(messages[name][0])).toBe(name satisfies MessageName);
});
