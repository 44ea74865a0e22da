import { describe, expect, test } from 'vitest';
import type { Call, FileNode, FileSystem, Outcome } from '../filesystem.ts';
import type { Name } from '../name.ts';
import { decode, encode } from '../wire/codec.ts';
import { type Message, NOFID, NOTAG, VERSION } from '../wire/messages.ts';
import { Qid, QidType } from '../wire/qid.ts';
import type { Attributes } from './attributes.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import { type ReplySink, type ServerOptions, Session } from './session.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

/** A filesystem of one root directory and files that are read and written when the test says so. */
class GatedFileSystem implements FileSystem<FileNode, object> {
  readonly root: FileNode = { qid: new Qid(QidType.directory, 0, 1) };
  readonly gates: ((value?: number | Error) => void)[] = [];
  readonly written: string[] = [];
  readonly log: string[] = [];
  references = 0;

  /** A promise that `open the gate` settles: with a value, or as `act` computes it then. */
  #gate<T>(act: () => T): Promise<T | number> {
    return new Promise((resolve, reject) => {
      this.gates.push((value) => {
        if (value instanceof Error) reject(value);
        else resolve(value ?? act());
      });
    });
  }

  attach(): FileNode {
    this.references++;
    return this.root;
  }
  walk(_directory: FileNode, name: Name): Outcome<FileNode> {
    const node = { qid: new Qid(QidType.file, 0, name.length) };
    if (name.toString().startsWith('slow')) {
      return this.#gate(() => {
        this.log.push(`walked ${name}`);
        this.references++;
        return node;
      });
    }
    if (name.toString() === 'missing') return -2;
    this.references++;
    return node;
  }
  retain(): void {
    this.references++;
  }
  release(): void {
    this.references--;
  }
  getattr(_node: FileNode, _mask: number, attributes: Attributes): void {
    attributes.mode = 0o100644;
  }
  open(): object {
    return {};
  }
  close(): void {
    this.log.push('closed');
  }
  read(_file: object, offset: number, buffer: Uint8Array, start: number, count: number): Outcome<number> {
    if (offset === 666) throw Object.assign(new Error('no luck'), { code: 'ENOSPC' });
    return this.#gate(() => buffer.subarray(start).fill(0x61 + (offset % 26), 0, count).length && count);
  }
  write(_file: object, _offset: number, buffer: Uint8Array, start: number, count: number): Outcome<number> {
    return this.#gate(() => {
      this.written.push(text(buffer.subarray(start, start + count)));
      return count;
    });
  }
  readdir(): void {}
  /** Ends when it is aborted; or when its gate opens, heeding nothing. */
  fsync(_file: object, dataOnly: boolean, call: Call): Promise<number> {
    if (dataOnly) return this.#gate(() => 0);
    return new Promise((_, reject) => {
      const { signal } = call;
      signal.addEventListener('abort', () => {
        this.log.push(`aborted, ${signal === call.signal}`);
        reject(signal.reason);
      });
    });
  }
}

/** A session whose frames come through one buffer that is used again each time, as a transport's is. */
class Talk implements ReplySink {
  readonly fs = new GatedFileSystem();
  readonly replies: Message[] = [];
  readonly session: Session;
  readonly warnings: string[] = [];
  isBlocked = false;
  #buffer = new Uint8Array(1 << 16);

  constructor(options?: ServerOptions) {
    this.session = new Session(this.fs, this, {
      ...options,
      onWarning: (warning) => this.warnings.push(warning),
    });
  }

  send(replies: ReplyBuffer): boolean {
    for (let i = 0; i < replies.rangeCount; i++) {
      let at = replies.ranges[2 * i] as number;
      const end = at + (replies.ranges[2 * i + 1] as number);
      while (at < end) {
        const size = replies.view.getUint32(at, true);
        this.replies.push(decode(replies.bytes.slice(at, at + size)));
        at += size;
      }
    }
    return true;
  }

  /** Hands all messages over in one piece; which were answered since the last call, by tag. */
  say(...messages: Message[]): Message[] {
    if (this.session.inputRetained) {
      this.#buffer = new Uint8Array(1 << 16);
      this.session.inputRetained = false;
    }
    let end = 0;
    for (const message of messages) {
      const frame = encode(message);
      this.#buffer.set(frame, end);
      end += frame.length;
    }
    this.consumed = this.session.receive(this.#buffer, new DataView(this.#buffer.buffer), 0, end);
    // What a transport does next: other bytes lie where the requests lay, unless the session keeps the buffer.
    if (!this.session.inputRetained) this.#buffer.fill(0xee);
    return this.replies.splice(0);
  }
  consumed = 0;

  /** Lets the n-th waiting call go on; what was answered then. */
  async open(gate: number, value?: number | Error): Promise<Message[]> {
    this.fs.gates[gate]?.(value);
    return await this.settle();
  }

  /** Lets what has been settled be answered. */
  async settle(): Promise<Message[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.replies.splice(0);
  }

  begin(): void {
    this.say(version(), attach());
    this.say({ message: 'Twalk', tag: 1, fid: 0, newfid: 1, wnames: [bytes('file')] }, open(1));
  }
}

const version = (tag = NOTAG): Message => ({
  message: 'Tversion',
  tag,
  msize: 8193,
  version: bytes(VERSION),
});
const attach = (): Message => ({
  message: 'Tattach',
  tag: 1,
  fid: 0,
  afid: NOFID,
  uname: bytes('me'),
  aname: bytes(''),
  nUname: 0,
});
const open = (fid: number): Message => ({ message: 'Tlopen', tag: 2, fid, flags: 0 });
const read = (tag: number, offset = 0n, count = 3): Message => ({
  message: 'Tread',
  tag,
  fid: 1,
  offset,
  count,
});
const write = (tag: number, data: string): Message => ({
  message: 'Twrite',
  tag,
  fid: 1,
  offset: 0n,
  data: bytes(data),
});
const fsync = (tag: number, dataOnly = false): Message => ({
  message: 'Tfsync',
  tag,
  fid: 1,
  datasync: dataOnly ? 1 : 0,
});
const getattr = (tag: number): Message => ({ message: 'Tgetattr', tag, fid: 1, mask: 0x7ffn });
const clunk = (tag: number, fid: number): Message => ({ message: 'Tclunk', tag, fid });
const flush = (tag: number, oldtag: number): Message => ({ message: 'Tflush', tag, oldtag });
const tags = (messages: Message[]) => messages.map(({ message, tag }) => `${message} ${tag}`);

describe('requests that wait', () => {
  test('hold up no other request, and are answered when their promise settles', async () => {
    const talk = new Talk();
    talk.begin();
    expect(tags(talk.say(getattr(5), read(6), getattr(7)))).toEqual(['Rgetattr 5', 'Rgetattr 7']);
    expect(tags(talk.say(read(8, 1n), getattr(9)))).toEqual(['Rgetattr 9']);
    expect(await talk.open(1)).toMatchObject([{ message: 'Rread', tag: 8, data: bytes('bbb') }]);
    expect(await talk.open(0)).toMatchObject([{ message: 'Rread', tag: 6, data: bytes('aaa') }]);
  });

  test('keep their data and names whatever the transport receives meanwhile', async () => {
    const talk = new Talk();
    talk.begin();
    talk.say(write(5, 'first'), write(6, 'second'), getattr(7));
    talk.say(write(8, 'third'), {
      message: 'Twalk',
      tag: 9,
      fid: 0,
      newfid: 2,
      wnames: [bytes('slow-name')],
    });
    talk.say(getattr(10));
    for (const gate of [3, 2, 1, 0]) await talk.open(gate);
    expect(talk.fs.written).toEqual(['third', 'second', 'first']);
    expect(talk.fs.log).toEqual(['walked slow-name']);
  });

  test('answer with the errno of what they throw', async () => {
    const talk = new Talk();
    talk.begin();
    expect(talk.say(read(4, 666n))).toMatchObject([{ message: 'Rlerror', tag: 4, ecode: 28 }]);
    talk.say(read(5), read(6), read(7));
    expect(await talk.open(0, -13)).toMatchObject([{ message: 'Rlerror', tag: 5, ecode: 13 }]);
    expect(await talk.open(1, new Error('what?'))).toMatchObject([{ message: 'Rlerror', tag: 6, ecode: 5 }]);
    // More bytes than were asked for: the filesystem's mistake must not run over what follows in the buffer.
    expect(await talk.open(2, 4)).toMatchObject([{ message: 'Rlerror', tag: 7, ecode: 5 }]);
  });

  test('are answered before the Rflush of a Tflush that names them; one that names nothing is answered at once', async () => {
    const talk = new Talk();
    talk.begin();
    expect(tags(talk.say(read(5), flush(6, 5), flush(7, 5), flush(8, 99), getattr(9)))).toEqual([
      'Rflush 8',
      'Rgetattr 9',
    ]);
    expect(tags(await talk.open(0))).toEqual(['Rread 5', 'Rflush 6', 'Rflush 7']);
  });

  test('are told that they are flushed, and not answered when nothing was done', async () => {
    const talk = new Talk();
    talk.begin();
    expect(talk.say(fsync(5), getattr(6), fsync(7))).toMatchObject([{ message: 'Rgetattr' }]);
    expect(talk.say(flush(8, 5), getattr(9))).toMatchObject([{ message: 'Rgetattr', tag: 9 }]);
    expect(talk.fs.log).toEqual(['aborted, true']);
    expect(tags(await talk.settle())).toEqual(['Rflush 8']);
    // Neither tag is in use any more, and the other request still waits.
    expect(tags(talk.say(getattr(5), getattr(8), getattr(7)))).toEqual([
      'Rgetattr 5',
      'Rgetattr 8',
      'Rlerror 7',
    ]);
    expect(talk.session.waiting).toBe(1);
  });

  test('that heed no signal hold their Rflush back, and are answered if they were done all the same', async () => {
    const talk = new Talk();
    talk.begin();
    talk.say(fsync(5, true), fsync(6, true), flush(7, 5), flush(8, 6));
    expect(await talk.settle()).toEqual([]);
    expect(tags(await talk.open(0))).toEqual(['Rfsync 5', 'Rflush 7']);
    expect(tags(await talk.open(1, -5))).toEqual(['Rflush 8']);
  });

  test('are flushed in turn: a Tflush that waits owns its tag, and can be flushed itself', async () => {
    const talk = new Talk();
    talk.begin();
    expect(talk.say(read(5), flush(6, 5), flush(7, 6), flush(8, 5))).toEqual([]);
    expect(talk.say(getattr(6), flush(7, 5))).toMatchObject([
      { message: 'Rlerror', tag: 6, ecode: 22 },
      { message: 'Rlerror', tag: 7, ecode: 22 },
    ]);
    expect(tags(await talk.open(0))).toEqual(['Rread 5', 'Rflush 6', 'Rflush 7', 'Rflush 8']);
  });

  test('leave no fid behind when they are flushed and fail', async () => {
    const talk = new Talk();
    talk.begin();
    talk.say({ message: 'Twalk', tag: 5, fid: 0, newfid: 2, wnames: [bytes('slow')] }, flush(6, 5));
    expect(tags(await talk.open(0, -4))).toEqual(['Rflush 6']);
    expect(talk.say(clunk(7, 2))).toMatchObject([{ message: 'Rlerror', ecode: 9 }]);
    talk.session.close();
    expect(talk.fs.references).toBe(0);
  });

  test('are told when their session is over', async () => {
    const talk = new Talk();
    talk.begin();
    talk.say(fsync(5), fsync(6));
    expect(tags(talk.say(version()))).toEqual([`Rversion ${NOTAG}`]);
    expect(talk.fs.log).toEqual(['aborted, true', 'aborted, true']);
    expect(await talk.settle()).toEqual([]);
    expect(talk.fs.log.splice(0)).toEqual(['aborted, true', 'aborted, true', 'closed']);
    expect(talk.session.waiting).toBe(0);
    talk.say(attach(), { message: 'Twalk', tag: 1, fid: 0, newfid: 1, wnames: [] }, open(1), fsync(7));
    talk.session.close();
    expect(await talk.settle()).toEqual([]);
    expect(talk.fs.log).toEqual(['aborted, true', 'closed']);
  });

  test('own their tag: a second request with it is refused', () => {
    const talk = new Talk();
    talk.begin();
    expect(talk.say(read(5), getattr(5))).toMatchObject([{ message: 'Rlerror', tag: 5, ecode: 22 }]);
  });

  test('keep their file open when the fid is clunked meanwhile, and no longer', async () => {
    const talk = new Talk();
    talk.begin();
    expect(tags(talk.say(read(5), clunk(6, 1), getattr(7)))).toEqual(['Rclunk 6', 'Rlerror 7']);
    expect(talk.fs.log).toEqual([]);
    await talk.open(0);
    expect(talk.fs.log).toEqual(['closed']);
    talk.session.close();
    expect(talk.fs.references).toBe(0);
  });

  test('are forgotten with their session: a Tversion ends all of it, and nothing is leaked', async () => {
    const talk = new Talk();
    talk.begin();
    talk.say(read(5), { message: 'Twalk', tag: 6, fid: 0, newfid: 2, wnames: [bytes('slow')] });
    expect(tags(talk.say(version()))).toEqual([`Rversion ${NOTAG}`]);
    expect(await talk.open(0)).toEqual([]);
    expect(await talk.open(1)).toEqual([]);
    expect(talk.fs.references).toBe(0);
    expect(talk.say(getattr(5))).toMatchObject([{ message: 'Rlerror', ecode: 9 }]);
    expect(talk.session.waiting).toBe(0);
  });

  test('stop the session from reading further when they are too many', async () => {
    const talk = new Talk({ maxPending: 2 });
    talk.begin();
    expect(talk.say(read(5), read(6), read(7))).toEqual([]);
    expect(talk.consumed).toBe(2 * encode(read(5)).length);
    expect(talk.session.isCongested).toBe(true);
    const progress = talk.session.progress();
    await talk.open(0);
    await progress;
    expect(talk.session.isCongested).toBe(false);
  });
});

test('a client that takes no replies is not served further', () => {
  const talk = new Talk();
  talk.begin();
  talk.isBlocked = true;
  expect(talk.say(getattr(5))).toEqual([]);
  expect(talk.consumed).toBe(0);
});

test('nothing but Tversion is served before a version is agreed on', () => {
  const talk = new Talk();
  expect(talk.say(attach())).toMatchObject([{ message: 'Rlerror', ecode: 71 }]);
  expect(
    talk.say({ message: 'Tversion', tag: NOTAG, msize: 5000, version: bytes('9P2000.u') }),
  ).toMatchObject([{ message: 'Rversion', msize: 5000, version: bytes('unknown') }]);
  expect(talk.say(attach())).toMatchObject([{ message: 'Rlerror', ecode: 71 }]);
});

test('a small msize is granted with a warning, one too small is refused', () => {
  const talk = new Talk();
  talk.say({ message: 'Tversion', tag: NOTAG, msize: 8192, version: bytes(VERSION) });
  expect(talk.warnings).toEqual([expect.stringContaining('msize of 8192 bytes')]);
  expect(talk.say({ message: 'Tversion', tag: NOTAG, msize: 255, version: bytes(VERSION) })).toMatchObject([
    { message: 'Rlerror', ecode: 22 },
  ]);
});

test('a walk that fails after its first name says how far it came, and makes no fid', () => {
  const talk = new Talk();
  talk.begin();
  const wnames = ['a', 'missing', 'b'].map(bytes);
  expect(talk.say({ message: 'Twalk', tag: 5, fid: 0, newfid: 7, wnames })).toMatchObject([
    { message: 'Rwalk', wqids: [{ pathLow: 1 }] },
  ]);
  expect(talk.say(clunk(5, 7))).toMatchObject([{ message: 'Rlerror', ecode: 9 }]);
  talk.session.close();
  expect(talk.fs.references).toBe(0);
});

describe('a filesystem whose release or close throws', () => {
  function failing(): Talk {
    const talk = new Talk();
    const { fs } = talk;
    const release = fs.release.bind(fs);
    fs.release = () => {
      release();
      throw new Error('a bug');
    };
    fs.close = () => {
      throw new Error('another bug');
    };
    return talk;
  }

  test('loses no node in the middle of a walk, and the client its answers', async () => {
    const talk = failing();
    talk.begin();
    const walk = (tag: number, newfid: number, names: string[]): Message => ({
      message: 'Twalk',
      tag,
      fid: 0,
      newfid,
      wnames: names.map(bytes),
    });
    expect(tags(talk.say(walk(3, 3, ['a', 'b', 'c']), walk(4, 4, ['a', 'missing'])))).toEqual([
      'Rwalk 3',
      'Rwalk 4',
    ]);
    talk.say(walk(5, 5, ['slow', 'slow']));
    await talk.open(0);
    expect(tags(await talk.open(1))).toEqual(['Rwalk 5']);
    expect(tags(talk.say(clunk(6, 1), clunk(7, 3)))).toEqual(['Rclunk 6', 'Rclunk 7']);
    talk.session.close();
    expect(talk.fs.references).toBe(0);
    expect(new Set(talk.warnings)).toEqual(
      new Set([
        "the filesystem's release() threw Error: a bug",
        "the filesystem's close() threw Error: another bug",
      ]),
    );
  });
});

test('a filesystem that gives nonsense for a node or a value leaves the number of the fid free', () => {
  const talk = new Talk();
  talk.say(version());
  talk.fs.attach = () => null as unknown as FileNode;
  expect(talk.say(attach())).toMatchObject([{ message: 'Rlerror', ecode: 5 }]);
  talk.fs.attach = () => talk.fs.root;
  expect(talk.say(attach())).toMatchObject([{ message: 'Rattach' }]);
});
