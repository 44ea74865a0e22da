import type { Socket } from 'node:net';

// Messages of 9P2000.L by hand, to send what the client library would not: many at once, and no more.

export const Type = {
  Rlerror: 7,
  Tgetattr: 24,
  Rgetattr: 25,
  Tversion: 100,
  Tattach: 104,
  Twalk: 110,
} as const;

export type Field = readonly [bytes: 1 | 2 | 4 | 8, value: number] | string;

export function frame(type: number, tag: number, fields: readonly Field[]): Buffer {
  const parts = fields.map((field) => {
    if (typeof field === 'string')
      return Buffer.concat([number(2, Buffer.byteLength(field)), Buffer.from(field)]);
    return number(field[0], field[1]);
  });
  const body = Buffer.concat([number(1, type), number(2, tag), ...parts]);
  return Buffer.concat([number(4, body.length + 4), body]);
}

function number(bytes: 1 | 2 | 4 | 8, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value));
  else buffer.writeUIntLE(value, 0, bytes);
  return buffer;
}

const NOTAG = 0xffff;
const NOFID = 0xffffffff;

/** Tversion and Tattach of fid 0. */
export const hello = Buffer.concat([
  frame(Type.Tversion, NOTAG, [[4, 1 << 20], '9P2000.L']),
  frame(Type.Tattach, 0, [[4, 0], [4, NOFID], '', '', [4, NOFID]]),
]);

/** Tgetattr of fid 0. */
export function getattr(tag: number): Buffer {
  return frame(Type.Tgetattr, tag, [
    [4, 0],
    [8, 0x7ff],
  ]);
}

/** Type and tag of every whole message that came before the socket ended. */
export async function messagesUntilEnd(socket: Socket): Promise<{ type: number; tag: number }[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const messages: { type: number; tag: number }[] = [];
  for (let at = 0; at + 7 <= bytes.length; at += bytes.readUInt32LE(at)) {
    messages.push({ type: bytes.readUInt8(at + 4), tag: bytes.readUInt16LE(at + 5) });
  }
  return messages;
}

/** Resolves when so many messages have come. */
export async function receive(socket: Socket, count: number): Promise<void> {
  let bytes = Buffer.alloc(0);
  await new Promise<void>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      let at = 0;
      let whole = 0;
      while (at + 4 <= bytes.length && at + bytes.readUInt32LE(at) <= bytes.length) {
        at += bytes.readUInt32LE(at);
        whole++;
      }
      if (whole < count) return;
      socket.off('data', take);
      socket.pause();
      resolve();
    };
    socket.on('data', take);
    socket.on('close', () => reject(new Error(`the connection ended before ${count} messages had come`)));
  });
}
