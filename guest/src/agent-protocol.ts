/**
 * Frames between host and agent, all numbers little-endian: u32 length of what follows, u8 type, u32 id, payload. The host
 * chooses ids, one for each program; 0 is the agent itself. native/agent.c has the other end.
 */
export const FrameType = {
  /** u32 uid, u32 gid, u16 count of arguments, u16 count of variables; folder, arguments, variables, each ending with NUL. */
  exec: 1,
  stdin: 2,
  stdinEnd: 3,
  /** i32 signal number, for the program's whole session. */
  signal: 4,
  powerOff: 5,
  /** The kernel's release. */
  ready: 16,
  /** u32 pid. */
  started: 17,
  stdout: 18,
  stderr: 19,
  /** i32 status or -1, i32 signal or 0. */
  exited: 20,
  /** u32 errno, text. */
  failed: 21,
  /** u32 bytes of stdin that the program, or nobody any more, has taken. */
  credit: 22,
} as const;

export interface Frame {
  readonly type: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** Bytes of stdin that may be on their way or held in the guest, for one program. */
export const STDIN_WINDOW = 256 << 10;
/** What one stdin frame may hold. */
export const STDIN_CHUNK = 32 << 10;

const HEADER = 9;
const LONGEST = 1 << 20;

export function encodeFrame(type: number, id: number, payload: Uint8Array = new Uint8Array()): Buffer {
  if (payload.length > LONGEST)
    throw new RangeError(`${payload.length} bytes do not fit a frame of at most ${LONGEST}`);
  const frame = Buffer.allocUnsafe(HEADER + payload.length);
  frame.writeUInt32LE(5 + payload.length, 0);
  frame.writeUInt8(type, 4);
  frame.writeUInt32LE(id, 5);
  frame.set(payload, HEADER);
  return frame;
}

/** Takes frames out of a stream of bytes. */
export class FrameDecoder {
  #held: Buffer = Buffer.alloc(0);

  /** The frames that are complete with this chunk. Throws RangeError at a length that no frame has. */
  *push(chunk: Buffer): Generator<Frame> {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (this.#held.length >= HEADER) {
      const length = this.#held.readUInt32LE(0);
      if (length < 5 || length > LONGEST + 5) throw new RangeError(`a frame of ${length} bytes`);
      if (this.#held.length < 4 + length) return;
      const frame = this.#held.subarray(0, 4 + length);
      this.#held = this.#held.subarray(4 + length);
      yield { type: frame.readUInt8(4), id: frame.readUInt32LE(5), payload: frame.subarray(HEADER) };
    }
  }
}

/** What a program is started with. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
}

/** Payload of an `exec` frame. Throws RangeError for a NUL in a string. */
export function encodeCommand({ argv, env, cwd, uid, gid }: Command): Buffer {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const words = [cwd, ...argv, ...variables];
  for (const word of words)
    if (word.includes('\0'))
      throw new RangeError(`${JSON.stringify(word)} has a NUL: no program can be given it`);
  const numbers = Buffer.alloc(12);
  numbers.writeUInt32LE(uid, 0);
  numbers.writeUInt32LE(gid, 4);
  numbers.writeUInt16LE(argv.length, 8);
  numbers.writeUInt16LE(variables.length, 10);
  return Buffer.concat([numbers, ...words.map((word) => Buffer.from(`${word}\0`))]);
}
