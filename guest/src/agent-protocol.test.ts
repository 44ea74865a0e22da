import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeCommand, encodeFrame, FrameDecoder, FrameType } from './agent-protocol.ts';

test('a frame is length, type, id, payload', () => {
  expect(encodeFrame(FrameType.stdin, 0x01020304, Buffer.from('ab')).toString('hex')).toBe(
    '0700000002040302016162',
  );
});

test('frames come out as they went in, however the stream is cut', () => {
  const frames = fc.array(
    fc.record({ type: fc.nat(255), id: fc.nat(0xffffffff), payload: fc.uint8Array({ maxLength: 100 }) }),
  );
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (list, cuts) => {
      const stream = Buffer.concat(list.map(({ type, id, payload }) => encodeFrame(type, id, payload)));
      const decoder = new FrameDecoder();
      const out = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const end = at + (cuts[turn % cuts.length] ?? 1);
        out.push(...decoder.push(stream.subarray(at, end)));
        at = end;
      }
      expect(out).toEqual(list.map((frame) => ({ ...frame, payload: Buffer.from(frame.payload) })));
    }),
  );
});

test('a length that no frame has is refused', () => {
  const decode = (length: number) => {
    const header = Buffer.alloc(9);
    header.writeUInt32LE(length);
    return [...new FrameDecoder().push(header)];
  };
  expect(() => decode(4)).toThrow(RangeError);
  expect(() => decode((1 << 20) + 6)).toThrow('a frame of 1048582 bytes');
  expect(() => encodeFrame(1, 1, Buffer.alloc((1 << 20) + 1))).toThrow(RangeError);
});

test('a command is numbers and strings with their ends', () => {
  const command = { argv: ['ls', 'a b'], env: { A: 'b' }, cwd: '/', uid: 1, gid: 2 };
  expect(encodeCommand(command).toString('latin1')).toBe('\x01\0\0\0\x02\0\0\0\x02\0\x01\0/\0ls\0a b\0A=b\0');
  expect(() => encodeCommand({ ...command, argv: ['a\0b'] })).toThrow('"a\\u0000b" has a NUL');
});
