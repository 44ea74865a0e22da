import type { ReplyBuffer } from '../server/reply-buffer.ts';
import { send, sendv } from './linux.ts';

/** Sends as much of a batch of replies as the socket takes in one call: how many bytes, or a negative errno. */
export function sendReplies(fd: number, { bytes, ranges, rangeCount }: ReplyBuffer): number {
  if (rangeCount > 1) return sendv(fd, bytes, ranges, rangeCount, 0);
  return send(fd, bytes, ranges[0] as number, ranges[1] as number, 0);
}
