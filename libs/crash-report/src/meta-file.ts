import { plainText } from './plain-text.ts';

const MAX_KEYS = 64;
const MAX_VALUE = 1024;
const KEY = /^[A-Za-z0-9_.-]{1,64}$/;
/** Keys whose values name files of the host to whoever uploads the report, and the last line. No VM sets them. */
const OURS = /^(?:payload|done|upload_(?:file|text)_.*)$/;

/** What a .meta file says of the files beside it. */
export interface MetaFiles {
  readonly minidump: string;
  readonly processTree: string;
}

/**
 * The text of a .meta file: lines of `key=value`, the last one `done=1`, without which the file is not whole. Of the VM's metadata
 * what can be no key, and what names files, is left out.
 */
export function metaText(
  metadata: Readonly<Record<string, string>>,
  files: MetaFiles,
): { readonly text: string; readonly leftOut: number } {
  const entries = Object.entries(metadata);
  const kept = entries
    .filter(([key]) => KEY.test(key) && !OURS.test(key))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, MAX_KEYS);
  const lines = [
    ...kept.map(([key, value]) => `${key}=${plainText(value.slice(0, MAX_VALUE))}`),
    `upload_text_process_tree=${files.processTree}`,
    `payload=${files.minidump}`,
    'done=1',
  ];
  // Those that the original guest sends for its own files are expected.
  const expected = entries.filter(([key]) => OURS.test(key)).length;
  return { text: `${lines.join('\n')}\n`, leftOut: entries.length - kept.length - expected };
}
