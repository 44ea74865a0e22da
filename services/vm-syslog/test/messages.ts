import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiles the program that sends messages. @param flags of the compiler */
export function buildSenders(path: string, ...flags: string[]): void {
  const source = fileURLToPath(new URL('senders.c', import.meta.url));
  execFileSync('gcc', ['-O1', '-Wall', '-o', path, source, ...flags]);
}

/** All lines of a log and of the files that it was before, the oldest first. */
export function linesOf(folder: string, name: string): string[] {
  const indexes = readdirSync(folder)
    .map((file) => (file === name ? 0 : Number(file.slice(name.length + 1))))
    .filter((index, at, all) => !Number.isNaN(index) && all.indexOf(index) === at)
    .sort((a, b) => b - a);
  return indexes.flatMap((index) => {
    const text = readFileSync(join(folder, index === 0 ? name : `${name}.${index}`), 'utf8');
    return text.split('\n').slice(0, -1);
  });
}

/** For each sender the numbers of its messages, as they stand in these lines. */
export function numbersBySender(lines: readonly string[]): Map<string, number[]> {
  const senders = new Map<string, number[]>();
  for (const line of lines) {
    const [, sender, number] = /VM\(\d+\): +(\w+)\[\d+\]: message (\d+) 0+$/.exec(line) ?? [];
    if (sender === undefined) continue;
    const numbers = senders.get(sender) ?? [];
    senders.set(sender, numbers);
    numbers.push(Number(number));
  }
  return senders;
}

/** What it has to be when none is lost or repeated, and each sender's are in their order. */
export function expectedNumbers(tag: string, processes: number, messages: number): Map<string, number[]> {
  const numbers = Array.from({ length: messages }, (_, number) => number);
  return new Map(Array.from({ length: processes }, (_, process) => [`${tag}${process}`, numbers]));
}
