import type { Qid } from './qid.ts';

/**
 * Every 9P2000.L message, and those of 9P2000 that .L keeps, declared once: `name: [type, fields]`.
 *
 * A message is `size[4] type[1] tag[2]` and then its fields in order, all integers little-endian
 * (Linux include/net/9p/9p.h; the 9P2000.L protocol description of diod). Codec, server and tests are driven by this table.
 */
export const messages = {
  Rlerror: [7, { ecode: 'u32' }],
  Tstatfs: [8, { fid: 'u32' }],
  Rstatfs: [
    9,
    {
      type: 'u32',
      bsize: 'u32',
      blocks: 'u64',
      bfree: 'u64',
      bavail: 'u64',
      files: 'u64',
      ffree: 'u64',
      fsid: 'u64',
      namelen: 'u32',
    },
  ],
  Tlopen: [12, { fid: 'u32', flags: 'u32' }],
  Rlopen: [13, { qid: 'qid', iounit: 'u32' }],
  Tlcreate: [14, { fid: 'u32', name: 'string', flags: 'u32', mode: 'u32', gid: 'u32' }],
  Rlcreate: [15, { qid: 'qid', iounit: 'u32' }],
  Tsymlink: [16, { dfid: 'u32', name: 'string', target: 'string', gid: 'u32' }],
  Rsymlink: [17, { qid: 'qid' }],
  Tmknod: [18, { dfid: 'u32', name: 'string', mode: 'u32', major: 'u32', minor: 'u32', gid: 'u32' }],
  Rmknod: [19, { qid: 'qid' }],
  Trename: [20, { fid: 'u32', dfid: 'u32', name: 'string' }],
  Rrename: [21, {}],
  Treadlink: [22, { fid: 'u32' }],
  Rreadlink: [23, { target: 'string' }],
  Tgetattr: [24, { fid: 'u32', mask: 'u64' }],
  Rgetattr: [
    25,
    {
      valid: 'u64',
      qid: 'qid',
      mode: 'u32',
      uid: 'u32',
      gid: 'u32',
      nlink: 'u64',
      rdev: 'u64',
      size: 'u64',
      blksize: 'u64',
      blocks: 'u64',
      atimeSec: 'u64',
      atimeNsec: 'u64',
      mtimeSec: 'u64',
      mtimeNsec: 'u64',
      ctimeSec: 'u64',
      ctimeNsec: 'u64',
      btimeSec: 'u64',
      btimeNsec: 'u64',
      gen: 'u64',
      dataVersion: 'u64',
    },
  ],
  Tsetattr: [
    26,
    {
      fid: 'u32',
      valid: 'u32',
      mode: 'u32',
      uid: 'u32',
      gid: 'u32',
      size: 'u64',
      atimeSec: 'u64',
      atimeNsec: 'u64',
      mtimeSec: 'u64',
      mtimeNsec: 'u64',
    },
  ],
  Rsetattr: [27, {}],
  Txattrwalk: [30, { fid: 'u32', newfid: 'u32', name: 'string' }],
  Rxattrwalk: [31, { size: 'u64' }],
  Txattrcreate: [32, { fid: 'u32', name: 'string', size: 'u64', flags: 'u32' }],
  Rxattrcreate: [33, {}],
  Treaddir: [40, { fid: 'u32', offset: 'u64', count: 'u32' }],
  Rreaddir: [41, { data: 'data' }],
  Tfsync: [50, { fid: 'u32', datasync: 'u32' }],
  Rfsync: [51, {}],
  Tlock: [
    52,
    { fid: 'u32', type: 'u8', flags: 'u32', start: 'u64', length: 'u64', procId: 'u32', clientId: 'string' },
  ],
  Rlock: [53, { status: 'u8' }],
  Tgetlock: [54, { fid: 'u32', type: 'u8', start: 'u64', length: 'u64', procId: 'u32', clientId: 'string' }],
  Rgetlock: [55, { type: 'u8', start: 'u64', length: 'u64', procId: 'u32', clientId: 'string' }],
  Tlink: [70, { dfid: 'u32', fid: 'u32', name: 'string' }],
  Rlink: [71, {}],
  Tmkdir: [72, { dfid: 'u32', name: 'string', mode: 'u32', gid: 'u32' }],
  Rmkdir: [73, { qid: 'qid' }],
  Trenameat: [74, { olddirfid: 'u32', oldname: 'string', newdirfid: 'u32', newname: 'string' }],
  Rrenameat: [75, {}],
  Tunlinkat: [76, { dirfid: 'u32', name: 'string', flags: 'u32' }],
  Runlinkat: [77, {}],
  Tversion: [100, { msize: 'u32', version: 'string' }],
  Rversion: [101, { msize: 'u32', version: 'string' }],
  Tauth: [102, { afid: 'u32', uname: 'string', aname: 'string', nUname: 'u32' }],
  Rauth: [103, { aqid: 'qid' }],
  Tattach: [104, { fid: 'u32', afid: 'u32', uname: 'string', aname: 'string', nUname: 'u32' }],
  Rattach: [105, { qid: 'qid' }],
  Tflush: [108, { oldtag: 'u16' }],
  Rflush: [109, {}],
  Twalk: [110, { fid: 'u32', newfid: 'u32', wnames: 'string[]' }],
  Rwalk: [111, { wqids: 'qid[]' }],
  Tread: [116, { fid: 'u32', offset: 'u64', count: 'u32' }],
  Rread: [117, { data: 'data' }],
  Twrite: [118, { fid: 'u32', offset: 'u64', data: 'data' }],
  Rwrite: [119, { count: 'u32' }],
  Tclunk: [120, { fid: 'u32' }],
  Rclunk: [121, {}],
  Tremove: [122, { fid: 'u32' }],
  Rremove: [123, {}],
} as const satisfies Record<string, readonly [type: number, fields: Record<string, FieldType>]>;

/** What a field looks like on the wire, and its value in JavaScript. */
export interface FieldValues {
  u8: number;
  u16: number;
  u32: number;
  u64: bigint;
  /** Length u16, then that many bytes. Names are bytes: on Linux they need not be UTF-8. */
  string: Uint8Array;
  /** Count u16, then strings. */
  'string[]': Uint8Array[];
  /** Length u32, then that many bytes. */
  data: Uint8Array;
  /** 13 bytes. */
  qid: Qid;
  /** Count u16, then qids. */
  'qid[]': Qid[];
}

export type FieldType = keyof FieldValues;
export type MessageName = keyof typeof messages;
export type FieldsOf<N extends MessageName> = (typeof messages)[N][1];

/** A decoded message: which one it is, its tag, and one property for each field. */
export type Message<N extends MessageName = MessageName> = {
  [K in N]: { message: K; tag: number } & {
    -readonly [F in keyof FieldsOf<K>]: FieldsOf<K>[F] extends FieldType
      ? FieldValues[FieldsOf<K>[F]]
      : never;
  };
}[N];

/** Type numbers by message name: `MessageType.Tversion === 100`. */
export const MessageType = Object.fromEntries(
  Object.entries(messages).map(([name, [type]]) => [name, type]),
) as { readonly [N in MessageName]: (typeof messages)[N][0] };

/** Bytes before a message's first field: size[4] type[1] tag[2]. */
export const HEADER_SIZE = 7;
/** The tag of Tversion, which is outside any session. */
export const NOTAG = 0xffff;
/** "No fid": the afid of an attach without authentication. */
export const NOFID = 0xffffffff;
/** Most names that one Twalk carries (walk(5)). */
export const MAX_WALK_NAMES = 16;
/** The only protocol version spoken here. */
export const VERSION = '9P2000.L';
