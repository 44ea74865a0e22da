const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Text of a guest as a terminal may have it: no escape sequences, no bytes that it could take for one, nothing that moves back or
 * rings. Control characters are shown as `^[`, bytes that are no UTF-8 and controls of Latin-1 as `\x9b`, and those that turn the
 * direction of text as `\u202e`.
 */
export function harmless(bytes: Uint8Array): string {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    text = lineByLine(bytes);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/\r\n|[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, shown);
}

/** One byte that is no UTF-8 spoils no more than its line. */
function lineByLine(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    const line = bytes.subarray(at, end < 0 ? bytes.length : end + 1);
    try {
      text += decoder.decode(line);
    } catch {
      for (const byte of line) text += byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`;
    }
    at += line.length;
  }
  return text;
}

function shown(control: string): string {
  const code = control.charCodeAt(0);
  if (control === '\r\n') return '\n';
  if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
  if (code === 0x7f) return '^?';
  return code < 0x100 ? `\\x${code.toString(16)}` : `\\u${code.toString(16)}`;
}
