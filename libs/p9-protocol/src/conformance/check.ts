import type { Client } from '../client/client.ts';
import type { RemoteNode } from '../client/remote-node.ts';
import { type ErrnoName, errnoName, P9Error } from '../errno.ts';
import { encode } from '../wire/codec.ts';
import type { Message, MessageName } from '../wire/messages.ts';
import * as assert from './assert.ts';

/** What a filesystem may do without; checks that need it are left out then. */
export type Feature =
  | 'symlink'
  | 'link'
  | 'mknod'
  | 'xattr'
  | 'lock'
  | 'chown'
  | 'append'
  | 'statfs'
  | 'rename'
  | 'sparse';

/** A filesystem being checked: served, with a client attached to it. */
export interface Subject {
  client: Client;
  /** An empty directory in which everything is allowed. */
  root: RemoteNode;
}

/** One sentence about every filesystem, and what shows that it is true. */
export interface Check {
  name: string;
  needs: readonly Feature[];
  run(subject: Subject): Promise<void>;
}

/** Makes a check; `needs` last, as most need nothing. */
export function check(name: string, run: (subject: Subject) => Promise<void>, ...needs: Feature[]): Check {
  return { name, needs, run };
}

export const utf8 = (text: string) => new TextEncoder().encode(text);
export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Bytes in which every place tells itself apart from those near it. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + seed) & 0xff;
  return bytes;
}

export function assertBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length, 'length');
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.ok(at < 0, `byte ${at} is ${actual[at]}, not ${expected[at]}`);
}

/** Asserts that the server refuses with this errno, or one of several that are as good. */
export async function refuses(promise: Promise<unknown>, ...codes: ErrnoName[]): Promise<void> {
  let error: unknown;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error !== undefined, `expected ${codes.join(' or ')}, but it was done`);
  if (!(error instanceof P9Error)) throw error;
  assert.ok(codes.includes(error.code as ErrnoName), `expected ${codes.join(' or ')}, got ${error.message}`);
}

/** Fids and a tag that the checks use beside the client's own; the client counts fids up from 0, and its tags are below 32768. */
export const FREE_FID = 0x7000_0000;
const RAW_TAG = 0xf000;

/** A message to be sent exactly so; its tag may be left out. */
export interface Sent {
  message: MessageName;
  [field: string]: unknown;
}

/** Sends a message exactly so, and gives whatever answers it. */
export async function exchange(client: Client, message: Sent): Promise<Message> {
  return client.raw.exchange(encode({ tag: RAW_TAG, ...message } as unknown as Message));
}

/** `exchange` that must succeed. */
export async function ask<R extends MessageName>(
  client: Client,
  message: Sent,
  reply: R,
): Promise<Message<R>> {
  const answer = await exchange(client, message);
  const found = answer.message === 'Rlerror' ? `Rlerror ${errnoName(answer.ecode)}` : answer.message;
  assert.equal(found, reply === 'Rlerror' ? found : reply);
  assert.equal(answer.message, reply);
  return answer as Message<R>;
}

/** `exchange` that must be answered with an error: which. */
export async function askForError(client: Client, message: Sent): Promise<number> {
  return (await ask(client, message, 'Rlerror')).ecode;
}

/** All entries of a directory but `.` and `..`, by name. */
export async function entriesOf(directory: RemoteNode, path = ''): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of directory.readdir(path)) names.push(String(name));
  return names.filter((name) => name !== '.' && name !== '..').sort();
}
