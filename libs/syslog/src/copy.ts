/** Shorter ones are copied sooner than the runtime is asked to. */
const SHORT = 32;

/** Copies the bytes from `start` to before `end`. Nothing is allocated for it. @returns the end of the copy in `out` */
export function copyTo(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  if (end - start > SHORT) return at + Buffer.prototype.copy.call(bytes, out, at, start, end);
  let to = at;
  for (let from = start; from < end; from++) out[to++] = bytes[from] as number;
  return to;
}
