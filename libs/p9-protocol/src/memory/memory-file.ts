import type { LockRequest } from '../filesystem.ts';
import type { MemoryEntry, MemoryNode } from './memory-node.ts';

/** An open file. */
export class MemoryFile {
  readonly node: MemoryNode;
  readonly flags: number;
  /** Owners of locks that were taken through it. */
  readonly owners = new Map<string, Pick<LockRequest, 'procId' | 'clientId'>>();
  /** Directories: where a listing goes on, and after which cookie that is. */
  listing: { entries: Iterator<MemoryEntry>; last: bigint; ahead: MemoryEntry | undefined } | undefined;

  constructor(node: MemoryNode, flags: number) {
    this.node = node;
    this.flags = flags;
  }
}

/** A listing of the entries behind a cookie. */
export function listFrom(
  entries: Map<string, MemoryEntry>,
  cookie: bigint,
): NonNullable<MemoryFile['listing']> {
  const iterator = entries.values();
  let ahead = next(iterator);
  while (ahead !== undefined && BigInt(ahead.cookie) <= cookie) ahead = next(iterator);
  return { entries: iterator, last: cookie, ahead };
}

export function next(entries: Iterator<MemoryEntry>): MemoryEntry | undefined {
  const { done, value } = entries.next();
  return done === true ? undefined : value;
}
