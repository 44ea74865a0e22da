import { describe, expect, it } from 'vitest';
import { detectLayout } from '../src/detect-layout.ts';
import { kernelFiles } from '../src/kernel-files.ts';
import { parseCommandLine } from '../src/layout-text.ts';
import { readRamoops } from '../src/ramoops.ts';
import { SymbolTable } from '../src/symbols.ts';
import { builtKernelFolder, builtKernelNames, type Pair, pairNames, readPair } from './pairs.ts';

/** As text where it is text, so that a difference can be seen. */
function readable(files: Iterable<readonly [string, Uint8Array]>): Record<string, string> {
  return Object.fromEntries([...files].map(([name, data]) => [name, Buffer.from(data).toString('latin1')]));
}

/** The symbols that a file of the kernel's names, with the sizes that it tells. */
function symbolsIn(file: Uint8Array): SymbolTable {
  const starts = new Map<bigint, string>();
  const ends = new Set<bigint>();
  for (const [, hex = '', callerHex = '', name = '', caller = '', offset = '', size = ''] of Buffer.from(file)
    .toString()
    .matchAll(/^CPU:\d+ ts:\d+ (\w+) {2}(\w+) {2}(\S+) <- (\S+)\+0x(\w+)\/0x(\w+)$/gm)) {
    starts.set(BigInt(`0x${hex}`), name);
    const start = BigInt(`0x${callerHex}`) - BigInt(`0x${offset}`);
    starts.set(start, caller);
    ends.add(start + BigInt(`0x${size}`));
  }
  const lines = [...starts].map(([address, name]) => `${address.toString(16).padStart(16, '0')} T ${name}`);
  const gaps = [...ends]
    .filter((end) => !starts.has(end))
    .map((end) => `${end.toString(16).padStart(16, '0')} t gap`);
  return SymbolTable.parse([...lines, ...gaps].join('\n'));
}

function compare({ region, commandLine, files }: Pair): void {
  const ftrace = files.get('ftrace-ramoops-0');
  const ours = kernelFiles(readRamoops(region, commandLine), ftrace ? { symbols: symbolsIn(ftrace) } : {});
  expect(readable(ours.map(({ name, data }) => [name, data]))).toEqual(readable(files));
}

describe('a region of a real kernel, and what its next boot showed', () => {
  it('there are twelve of them', () => {
    expect(pairNames).toHaveLength(12);
  });

  it.each(pairNames)('%s: the same files, byte for byte', (name) => {
    compare(readPair(name));
  });

  it.each(builtKernelNames)('of our own kernel, %s: the same files, byte for byte', (name) => {
    compare(readPair(name, builtKernelFolder));
  });

  it.each(pairNames)('%s: its layout is found, or said to be a guess', (name) => {
    const { region, commandLine } = readPair(name);
    const found = detectLayout(region);
    const given = parseCommandLine(commandLine);
    if (name === 'init-empty') {
      expect(found.confidence).toBe('guess');
      return;
    }
    expect(found.confidence).toBe(name === 'ftrace' ? 'certain' : 'likely');
    expect(found.layout).toMatchObject({
      recordSize: given.recordSize,
      consoleSize: given.consoleSize,
      ftraceSize: given.ftraceSize,
      pmsgSize: given.pmsgSize,
      ecc: given.ecc === 1 ? 16 : given.ecc,
    });
  });

  it.each(pairNames.filter((name) => name !== 'init-empty'))(
    '%s: reads the same with the layout found',
    (name) => {
      const { region, commandLine } = readPair(name);
      const files = (layout: string) =>
        readable(kernelFiles(readRamoops(region, layout)).map((f) => [f.name, f.data]));
      expect(files('auto')).toEqual(files(commandLine));
    },
  );
});

describe('what is told of the real regions', () => {
  const read = (name: string) => {
    const { region, commandLine } = readPair(name);
    return readRamoops(region, commandLine);
  };

  it.each([
    ['basic-noecc', 'deflate'],
    ['compress-lz4', 'lz4'],
    ['compress-zstd', 'zstd'],
    ['nocompress-multi', 'none'],
  ])('%s was compressed with %s', (name, compression) => {
    expect(read(name).dmesg.map((record) => record.compression)).toEqual([compression]);
  });

  it('four dumps of one boot are one boot', () => {
    const { boots } = read('multi-oops');
    expect(boots).toHaveLength(1);
    expect(boots[0]?.records.map(({ reason, count, index }) => [reason, count, index])).toEqual([
      ['Oops', 1, 0],
      ['Oops', 2, 1],
      ['Oops', 3, 2],
      ['Panic', 4, 3],
    ]);
  });

  it('damaged bytes that parity put right are counted', () => {
    const { console, dmesg, pmsg } = read('ecc-corrected');
    expect([dmesg[0]?.zone.correction, console?.correction, pmsg?.correction]).toEqual([
      { correctedBytes: 5, badBlocks: 0 },
      { correctedBytes: 5, badBlocks: 0 },
      { correctedBytes: 0, badBlocks: 0 },
    ]);
  });

  it('a header that cannot be is a problem with a place', () => {
    expect(read('bad-size').problems).toEqual([
      {
        code: 'invalid-header',
        offset: 4,
        message: 'dmesg zone 0: a size of 2147483647 and a start of 5164 cannot be where 131060 bytes fit',
      },
      {
        code: 'invalid-header',
        offset: 0xc0004,
        message: 'console zone 0: a size of 2147483647 and a start of 15459 cannot be where 131060 bytes fit',
      },
    ]);
  });

  it('the ftrace zone says which kernel wrote it', () => {
    const { ftrace } = read('ftrace');
    expect(ftrace?.zones.map(({ kernelVersion, isFull }) => [kernelVersion, isFull])).toEqual([
      ['6.1.192', true],
    ]);
    expect(ftrace).toHaveLength(1364);
  });

  it('only zones of the kinds that are asked for are read', () => {
    const { region, commandLine } = readPair('basic-ecc1');
    const { zones, dmesg, console, pmsg } = readRamoops(region, commandLine, { kinds: ['console'] });
    expect(zones.map(({ kind }) => kind)).toEqual(['console']);
    expect([dmesg, console?.data, pmsg]).toEqual([[], read('basic-ecc1').console?.data, undefined]);
  });

  it('reading leaves the region as it was', () => {
    for (const name of pairNames) {
      const { region, commandLine } = readPair(name);
      kernelFiles(readRamoops(region, commandLine));
      expect(Buffer.compare(region, readPair(name).region), name).toBe(0);
    }
  });

  it('a region that nothing was written to has nothing to show and no problem', () => {
    const { zones, problems, dmesg } = read('init-empty');
    expect(new Set(zones.map(({ state }) => state))).toEqual(new Set(['empty']));
    expect([problems, dmesg]).toEqual([[], []]);
  });
});
