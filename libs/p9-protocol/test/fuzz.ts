import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, mknodat } from '@vm-tools/linux';
import fc from 'fast-check';
import { expect } from 'vitest';
import { FrameSplitter } from '../src/client/frame-splitter.ts';
import type { FileSystem } from '../src/filesystem.ts';
import { HostFileSystem } from '../src/host/host-file-system.ts';
import type { ConnectionEnd } from '../src/server/connection.ts';
import { serve } from '../src/server/serve.ts';
import { decode, encode } from '../src/wire/codec.ts';
import { OpenFlags } from '../src/wire/flags.ts';
import { HEADER_SIZE, type Message, type MessageName, messages } from '../src/wire/messages.ts';
import { arbitraryAnyMessage, arbitraryField, arbitraryMessage, messageNames } from './arbitrary-message.ts';
import { failing } from './failing.ts';
import { promised } from './promised.ts';
import { descriptorsInto } from './scratch-directory.ts';
import { streamPair } from './stream-pair.ts';

/*
 * Sessions of frames that make sense, nearly make sense, or make none, against a server of a directory of the host. Whatever is sent: the server answers
 * every frame, or ends the connection where frames cannot be told apart; nothing is thrown, no descriptor stays open, and nothing outside the directory is read or changed.
 */

const MSIZE = 8192;
const SECRET = 'outside the served directory';
const utf8 = (text: string) => new TextEncoder().encode(text);

/** A piece of a session; one that `breaks` has a size that is not its own, so that what follows it may be taken for anything. */
interface Piece {
  bytes: Uint8Array;
  breaks: boolean;
}

// What is sent

/** One of these fids mostly, else any. */
const fidOf = (...fids: number[]) =>
  fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...fids) },
    { weight: 4, arbitrary: fc.nat(12) },
    { weight: 1, arbitrary: fc.oneof(fc.constant(0xffffffff), arbitraryField.u32) },
  );
// As the prelude makes them; the session makes the others.
const anyFid = fidOf(0, 1, 2, 3, 4, 5, 6);
const directoryFid = fidOf(0, 1);
const openFid = fidOf(2, 3);
const newFid = fidOf(...Array.from({ length: 16 }, (_, index) => 5 + index));
const name = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .constantFrom(
        'd',
        'f',
        'g',
        'h',
        'e',
        'link',
        'out',
        'outfile',
        'up',
        'fifo',
        'user.a',
        'user.b',
        '\u00e9',
      )
      .map(utf8),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', '.', '..', '/', '../secret', '/etc', 'a\0b', 'n'.repeat(256)).map(utf8),
  },
  { weight: 1, arbitrary: arbitraryField.string },
);
const target = fc.oneof(name, fc.constantFrom('../outside', '../outside/secret', '/', 'd/../..').map(utf8));
const openFlags = fc.oneof(
  fc.constantFrom(
    OpenFlags.readOnly,
    OpenFlags.writeOnly,
    OpenFlags.readWrite,
    OpenFlags.readOnly | OpenFlags.directory,
  ),
  fc
    .subarray([1, 2, 0o100, 0o200, 0o1000, 0o2000, 0o4000, 0o40000, 0o200000, 0o400000, 0o1000000])
    .map((bits) => bits.reduce((flags, bit) => flags | bit, 0)),
  arbitraryField.u32,
);
const offset = fc.oneof(fc.bigInt(0n, 20n), arbitraryField.u64);
const count = fc.oneof(fc.nat(300), arbitraryField.u32);

/** Fields by name, so that requests meet the files and fids there are more often than not. */
const likely: Record<string, fc.Arbitrary<unknown>> = {
  fid: anyFid,
  newfid: newFid,
  dfid: directoryFid,
  dirfid: directoryFid,
  olddirfid: directoryFid,
  newdirfid: directoryFid,
  afid: fc.oneof({ weight: 9, arbitrary: fc.constant(0xffffffff) }, { weight: 1, arbitrary: anyFid }),
  name,
  oldname: name,
  newname: name,
  target,
  wnames: fc.oneof(
    { weight: 6, arbitrary: fc.array(name, { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.array(name, { maxLength: 18 }) },
  ),
  offset,
  count,
  size: offset,
  start: offset,
  length: offset,
  mode: fc.oneof(fc.constantFrom(0o644, 0o755, 0o40755, 0o10644, 0o20644, 0o140644), arbitraryField.u32),
  valid: fc.oneof(fc.nat(0x1ff), arbitraryField.u32),
  version: fc.constantFrom('9P2000.L', '9P2000.L', '9P2000.L', '9P2000', '').map(utf8),
  // None below the largest frame, whose size would end the connection; 255 is refused.
  msize: fc.constantFrom(MSIZE, MSIZE, 0xffffffff, 255),
};

/** What each request is worth; those that end everything before them are rare. */
const weights: Partial<Record<MessageName, number>> = {
  Tversion: 1,
  Tattach: 4,
  Twalk: 25,
  Tlcreate: 12,
  Tlopen: 15,
  Tclunk: 8,
  Tremove: 3,
};
const requestNames = messageNames.filter((message) => message.startsWith('T'));

const special: Partial<Record<MessageName, Record<string, fc.Arbitrary<unknown>>>> = {
  Tattach: { fid: newFid },
  Tlopen: { flags: openFlags, fid: fidOf(4, 5, 6, 7, 8) },
  Tlcreate: { flags: openFlags, fid: fidOf(5, 6, 7, 8) },
  Twalk: { fid: fidOf(0, 1, 4, 5, 6) },
  Tread: { fid: openFid },
  Twrite: { fid: openFid },
  Treaddir: { fid: openFid },
  Tfsync: { fid: openFid },
  Tlock: { fid: openFid },
  Tgetlock: { fid: openFid },
  Tclunk: { fid: newFid },
  Tremove: { fid: newFid },
};

/** Now and then a walk moves its own fid. */
const walkInPlace = arbitraryMessage('Twalk', { ...likely, fid: newFid }).map((walk) => ({
  ...walk,
  newfid: walk.fid,
}));

const request: fc.Arbitrary<Message> = fc.oneof(
  { weight: 8, arbitrary: walkInPlace },
  ...requestNames.map((message) => ({
    weight: weights[message] ?? 8,
    arbitrary: arbitraryMessage(message, { ...likely, ...special[message] }) as fc.Arbitrary<Message>,
  })),
);

function ofOwnSize(bytes: Uint8Array): Piece {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length, true);
  return { bytes, breaks: false };
}

const mutated = fc
  .tuple(
    request,
    fc.array(fc.tuple(fc.nat(), fc.nat(0xff)), { maxLength: 4 }),
    fc.integer({ min: -6, max: 6 }),
  )
  .map(([message, changes, more]) => {
    const frame = encode(message);
    const bytes = new Uint8Array(Math.max(HEADER_SIZE, frame.length + more));
    bytes.set(frame.subarray(0, bytes.length));
    for (const [at, value] of changes) bytes[4 + (at % (bytes.length - 4))] = value;
    return ofOwnSize(bytes);
  });
const noise = fc.uint8Array({ minLength: HEADER_SIZE, maxLength: 120 }).map(ofOwnSize);
const broken = fc.tuple(request, arbitraryField.u32).map(([message, size]) => {
  const bytes = encode(message);
  new DataView(bytes.buffer).setUint32(0, size, true);
  return { bytes, breaks: size !== bytes.length };
});

const piece: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 100, arbitrary: request.map((message) => ofOwnSize(encode(message))) },
  { weight: 5, arbitrary: arbitraryAnyMessage.map((message) => ofOwnSize(encode(message))) },
  { weight: 25, arbitrary: mutated },
  { weight: 10, arbitrary: noise },
);

/** Frames of a session and how they are cut into writes. */
const session = fc.record({
  pieces: fc.array(piece, { minLength: 1, maxLength: 100, size: 'max' }),
  /** Some sessions end in nonsense: a frame that is not as long as it says, and whatever comes behind it. */
  ending: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.tuple(broken, piece) },
  ),
  cuts: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 }),
});

/** What comes before: a session with fids of a file, a directory and an open one of each. */
const prelude: Message[] = [
  { message: 'Tversion', tag: 0xffff, msize: MSIZE, version: utf8('9P2000.L') },
  { message: 'Tattach', tag: 1, fid: 0, afid: 0xffffffff, uname: utf8('u'), aname: utf8(''), nUname: 0 },
  { message: 'Twalk', tag: 2, fid: 0, newfid: 1, wnames: [utf8('d')] },
  { message: 'Twalk', tag: 3, fid: 0, newfid: 2, wnames: [utf8('f')] },
  { message: 'Tlopen', tag: 4, fid: 2, flags: OpenFlags.readWrite },
  { message: 'Twalk', tag: 5, fid: 0, newfid: 3, wnames: [] },
  { message: 'Tlopen', tag: 6, fid: 3, flags: OpenFlags.readOnly },
  { message: 'Twalk', tag: 7, fid: 1, newfid: 4, wnames: [utf8('g')] },
];

// What is seen

/** A directory to be served and another beside it that must stay as it is. */
class Stage {
  readonly #base = mkdtempSync(join(tmpdir(), 'p9-fuzz-'));
  readonly root = join(this.#base, 'root');
  readonly outside = join(this.#base, 'outside');

  constructor() {
    mkdirSync(join(this.root, 'd', 'e'), { recursive: true });
    mkdirSync(this.outside);
    writeFileSync(join(this.root, 'f'), 'content');
    writeFileSync(join(this.root, 'd', 'g'), 'content');
    writeFileSync(join(this.outside, 'secret'), SECRET);
    chmodSync(join(this.outside, 'secret'), 0o600);
    symlinkSync('../outside', join(this.root, 'out'));
    symlinkSync(join(this.outside, 'secret'), join(this.root, 'outfile'));
    symlinkSync('..', join(this.root, 'up'));
    symlinkSync('f', join(this.root, 'link'));
    // Opened, it would block the server for ever.
    const fifo = utf8(join(this.root, 'fifo'));
    expect(mknodat(constants.AT_FDCWD, fifo, 0, fifo.length, constants.S_IFIFO | 0o666, 0, 0)).toBe(0);
  }

  /** Everything that could have been done to what is outside. */
  get outsideState(): unknown {
    const { mode, mtimeMs, ctimeMs, nlink } = statSync(join(this.outside, 'secret'));
    const content = readFileSync(join(this.outside, 'secret'), 'utf8');
    const of = statSync(this.outside);
    return {
      mode,
      mtimeMs,
      ctimeMs,
      nlink,
      content,
      entries: readdirSync(this.outside),
      ctime: of.ctimeMs,
      above: readdirSync(this.#base),
    };
  }

  /** Inode numbers of what is outside, which are the paths of their qids if the server should ever reach it. */
  get outsideInodes(): Set<bigint> {
    const paths = [this.#base, this.outside, join(this.outside, 'secret')];
    return new Set(paths.map((path) => statSync(path, { bigint: true }).ino));
  }

  remove(): void {
    rmSync(this.#base, { recursive: true, force: true });
  }
}

const kinds = {
  host: (fs: HostFileSystem) => fs as FileSystem,
  promised: (fs: HostFileSystem) => promised(fs),
  failing,
};

/** The filesystem that the server has: the host's as it is, or one of its answers late, or one that fails now and then in every way. */
export type Kind = keyof typeof kinds;

interface Result {
  end: ConnectionEnd;
  replies: Message[];
}

/** Sends the frames, hangs up, and gives what came back until the server was done. */
async function converse(
  root: string,
  frames: readonly Uint8Array[],
  cuts: readonly number[],
  kind: Kind,
): Promise<Result> {
  const host = new HostFileSystem({ root });
  const fs = kinds[kind](host);
  const [client, server] = streamPair();
  const connection = serve(server, fs, { msize: MSIZE, maxPending: 10 });
  const splitter = new FrameSplitter(MSIZE);
  const replies: Message[] = [];
  const ended = new Promise<void>((resolve) => {
    client.on('end', resolve);
    client.on('close', resolve);
  });
  client.on('data', (chunk) => splitter.push(chunk, (frame) => replies.push(decode(frame))));
  for (const frame of frames.slice(0, prelude.length)) {
    client.write(frame);
    // Where answers come late, each of these waits for that of the one before.
    for (const before = replies.length; kind === 'promised' && replies.length === before; ) await turn();
  }
  const stream = Buffer.concat(frames.slice(prelude.length));
  for (let at = 0, cut = 0; at < stream.length; cut++) {
    const end = at + (cuts[cut % cuts.length] as number);
    client.write(stream.subarray(at, end));
    at = end;
  }
  client.end();
  const end = await connection.ended;
  await ended;
  expect(splitter.unfinished, 'a reply was cut short').toBeUndefined();
  host[Symbol.dispose]();
  return { end, replies };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function tagOf(frame: Uint8Array): number {
  return (frame[5] as number) | ((frame[6] as number) << 8);
}

function oldtagOf(frame: Uint8Array): number {
  return (frame[7] as number) | ((frame[8] as number) << 8);
}

function decodes(frame: Uint8Array): boolean {
  try {
    decode(frame);
    return true;
  } catch {
    return false;
  }
}

/** The frames whose tags were answered less often than they were used. */
function unanswered(sent: readonly Piece[], replies: readonly Message[]): string[] {
  const left = replies.map(({ tag }) => tag);
  return sent.flatMap(({ bytes }) => {
    const at = left.indexOf(tagOf(bytes));
    if (at >= 0) left.splice(at, 1);
    return at >= 0 ? [] : [Buffer.from(bytes).toString('hex')];
  });
}

/** Whether `reply` may answer a frame of this type. */
function answers(reply: Message, type: number): boolean {
  return reply.message === 'Rlerror' || messages[reply.message][0] === type + 1;
}

interface Tally {
  frames: number;
  successes: number;
  ends: Record<string, number>;
}

/** Sends about as many frames, in sessions made from `seed`; counts what came of them. */
export async function fuzz(frames: number, seed: number, kind: Kind = 'host'): Promise<Tally> {
  const tally: Tally = { frames: 0, successes: 0, ends: {} };
  const property = fc.asyncProperty(session, async ({ pieces, ending, cuts }) => {
    const stage = new Stage();
    try {
      const before = stage.outsideState;
      const sent = [...prelude.map((message) => ofOwnSize(encode(message))), ...pieces, ...ending];
      const { end, replies } = await converse(
        stage.root,
        sent.map(({ bytes }) => bytes),
        cuts,
        kind,
      );
      tally.frames += sent.length;
      tally.successes += replies.filter(({ message }) => message !== 'Rlerror').length;
      tally.ends[end.reason] = (tally.ends[end.reason] ?? 0) + 1;
      checkReplies(sent, end, replies, kind);
      checkConfinement(replies, stage.outsideInodes);
      expect(stage.outsideState).toStrictEqual(before);
      // A connection that is cut off does not wait for what the filesystem is about to answer.
      for (let turns = 0; turns < 50 && kind !== 'host' && descriptorsInto(stage.root).length > 0; turns++)
        await turn();
      expect(descriptorsInto(stage.root)).toStrictEqual([]);
    } finally {
      stage.remove();
    }
  });
  await fc.assert(property, {
    // 8 frames of prelude and 42 or so behind it.
    numRuns: Math.ceil(frames / 50),
    seed,
    // The session that failed is told at once. To make it smaller takes minutes, and is done on demand.
    endOnFailure: process.env['FUZZ_SHRINK'] === undefined,
  });
  return tally;
}

/** That nothing outside was reached or read. (`..` of the root is listed in it, and only listed.) */
function checkConfinement(replies: readonly Message[], outside: ReadonlySet<bigint>): void {
  for (const reply of replies) {
    const qids = reply.message === 'Rwalk' ? reply.wqids : 'qid' in reply ? [reply.qid] : [];
    for (const { path } of qids) expect(outside.has(path), `${reply.message} leads outside`).toBe(false);
    if (reply.message === 'Rread') expect(Buffer.from(reply.data).includes(SECRET)).toBe(false);
  }
}

function checkReplies(
  sent: readonly Piece[],
  end: ConnectionEnd,
  replies: readonly Message[],
  kind: Kind,
): void {
  if (sent.some(({ breaks }) => breaks)) {
    expect(['closed', 'protocol']).toContain(end.reason);
    return;
  }
  expect(end.reason, end.message).toBe('closed');
  const typesByTag = new Map<number, number[]>();
  for (const { bytes } of sent) {
    const tag = tagOf(bytes);
    typesByTag.set(tag, [...(typesByTag.get(tag) ?? []), bytes[4] as number]);
  }
  for (const reply of replies) {
    const types = typesByTag.get(reply.tag) ?? [];
    const at = types.findIndex((type) => answers(reply, type));
    expect(at, `${reply.message} with tag ${reply.tag} answers nothing that was sent`).toBeGreaterThanOrEqual(
      0,
    );
  }
  expect(replies.length).toBeLessThanOrEqual(sent.length);
  for (const [tag, types] of typesByTag) {
    if (types.length > 1) continue;
    const malformed = sent.find(({ bytes }) => tagOf(bytes) === tag && !decodes(bytes));
    const reply = replies.find((message) => message.tag === tag);
    if (malformed !== undefined) expect(reply?.message, `the reply to ${malformed.bytes}`).toBe('Rlerror');
  }
  // Tversion takes back what waits: anything where answers come late, else Tfsync alone.
  const mayWait = sent.findIndex(({ bytes }, at) =>
    kind !== 'host' ? at >= prelude.length : bytes[4] === messages.Tfsync[0],
  );
  const mayLose =
    mayWait >= 0 && sent.some(({ bytes }, at) => at >= mayWait && bytes[4] === messages.Tversion[0]);
  // What waits and is flushed is not answered when it fails.
  const flushed = new Set(
    sent.flatMap(({ bytes }) =>
      bytes[4] === messages.Tflush[0] && bytes.length >= 9 ? [oldtagOf(bytes)] : [],
    ),
  );
  const due = mayWait < 0 ? sent : sent.filter(({ bytes }) => !flushed.has(tagOf(bytes)));
  if (!mayLose) expect(unanswered(due, replies)).toStrictEqual([]);
}
