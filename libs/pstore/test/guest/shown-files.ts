import type { Guest } from '@vm-tools/guest';

/** For a machine that is busy with other things. */
export const PATIENCE_MS = 600_000;

/**
 * Packs names and contents, so that one call brings all files: `name size seconds\n` and the bytes. Their sizes are those that are read: what
 * stat says of them may differ.
 */
export const PACK_SHOWN_FILES =
  'cd /sys/fs/pstore && for f in *; do [ -e "$f" ] || continue; cat "$f" > /tmp/f; echo "$f $(stat -c %s /tmp/f) $(stat -c %Y "$f")"; cat /tmp/f; done';

/** A file of /sys/fs/pstore. */
export interface ShownFile {
  readonly name: string;
  readonly data: Uint8Array;
  /** When it was changed, in seconds. */
  readonly modified: number;
}

/** What /sys/fs/pstore of a guest shows, where it has been mounted. */
export async function shownFiles(guest: Guest, before = 'true', after = 'true'): Promise<ShownFile[]> {
  const script = `{ ${before}; } && (${PACK_SHOWN_FILES}); s=$?; ${after}; exit $s`;
  const { status, stderr, stdoutBytes } = await guest.exec(['sh', '-c', script], { timeoutMs: PATIENCE_MS });
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`);
  return unpack(stdoutBytes);
}

function unpack(packed: Uint8Array): ShownFile[] {
  const files: ShownFile[] = [];
  for (let at = 0; at < packed.length; ) {
    const end = packed.indexOf(0x0a, at);
    const [name = '', size, modified] = new TextDecoder().decode(packed.subarray(at, end)).split(' ');
    at = end + 1 + Number(size);
    files.push({ name, data: packed.slice(end + 1, at), modified: Number(modified) });
  }
  return files;
}

/** As text where it is text, so that a difference can be seen. */
export function readable(
  files: Iterable<{ readonly name: string; readonly data: Uint8Array }>,
): Record<string, string> {
  return Object.fromEntries(
    Array.from(files, ({ name, data }) => [name, Buffer.from(data).toString('latin1')]),
  );
}
