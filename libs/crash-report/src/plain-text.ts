/** Text of strangers in one line: no line ends, no escape sequences, nothing that turns the direction of text. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, ' ').trim();
}

/** The same for text of several lines. */
export function plainLines(text: string): string {
  return text.replace(/[^\n\t\P{Cc}]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, ' ');
}
