import type { FtraceLog, Ramoops, SymbolTable, ZoneKind } from '@vm-tools/pstore';
import { giveUp } from './exit.ts';
import type { Output } from './output.ts';

export interface PrintOptions {
  readonly path: string;
  readonly kinds: readonly ZoneKind[];
  readonly output: Output;
  readonly symbols: SymbolTable | undefined;
}

/** Entries that go out in one write. */
const BATCH = 4096;

/** Prints records of some kinds; several of them each with its name above it, as tail(1) does. Gives up for what cannot be read. */
export function print(ramoops: Ramoops, { path, kinds, output, symbols }: PrintOptions): void {
  const parts = kinds.flatMap((kind) => partsOf(ramoops, kind, output, symbols));
  for (const [index, { name, write }] of parts.entries()) {
    if (parts.length > 1) output.text(`${index > 0 ? '\n' : ''}==> ${name} <==\n`);
    write();
  }
  const [kind] = kinds;
  if (kinds.length > 1 || kind === undefined) {
    if (ramoops.zones.every(({ state }) => state === 'absent' || state === 'invalid')) {
      giveUp(`${path}: no zone can be read: is this its layout?`, 'unreadable');
    }
    return;
  }
  const zones = ramoops.zones.filter((zone) => zone.kind === kind);
  if (zones.length === 0) giveUp(`${path} has no ${kind} zone by its layout`, 'unreadable');
  const broken = zones.filter(({ state }) => state === 'absent' || state === 'invalid');
  if (broken.length > 0) {
    giveUp(`${path}: ${broken.map(({ problems }) => problems[0]?.message).join('; ')}`, 'unreadable');
  }
}

interface Part {
  readonly name: string;
  write(): void;
}

function partsOf(ramoops: Ramoops, kind: ZoneKind, output: Output, symbols: SymbolTable | undefined): Part[] {
  if (kind === 'dmesg') {
    return ramoops.dmesg.map(({ index, data }) => ({
      name: `dmesg-ramoops-${index}`,
      write: () => output.guest(data),
    }));
  }
  if (kind === 'ftrace') {
    const { ftrace } = ramoops;
    return ftrace ? [{ name: 'ftrace-ramoops-0', write: () => writeTrace(ftrace, output, symbols) }] : [];
  }
  const zone = ramoops[kind];
  return zone ? [{ name: `${kind}-ramoops-0`, write: () => output.guest(zone.data) }] : [];
}

function writeTrace(ftrace: FtraceLog, output: Output, symbols: SymbolTable | undefined): void {
  let lines: string[] = [];
  for (const entry of ftrace) {
    lines.push(ftrace.format(entry, symbols));
    if (lines.length < BATCH) continue;
    output.text(lines.join(''));
    lines = [];
  }
  output.text(lines.join(''));
}
