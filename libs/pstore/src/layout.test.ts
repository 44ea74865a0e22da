import { describe, expect, it } from 'vitest';
import { ARCVM_LAYOUT, placeZones, type RamoopsLayout, zoneSpace } from './layout.ts';
import { parseCommandLine, parseLayout } from './layout-text.ts';

const NONE = { recordSize: 0, consoleSize: 0, ftraceSize: 0, pmsgSize: 0, ecc: 0 };
const shown = (layout: RamoopsLayout, size = 0) =>
  placeZones(layout, size).map(
    ({ kind, index, offset, size }) => `${kind} ${index} ${offset.toString(16)}+${size.toString(16)}`,
  );

describe('where zones are', () => {
  it('ARCVM: two dumps that share what is left, console, ftrace, pmsg', () => {
    expect(shown(ARCVM_LAYOUT)).toEqual([
      'dmesg 0 0+5f000',
      'dmesg 1 5f000+5f000',
      'console 0 be000+40000',
      'ftrace 0 fe000+1000',
      'pmsg 0 ff000+1000',
    ]);
  });

  it('a size that is no power of two is rounded down, the region is not', () => {
    expect(shown({ ...NONE, recordSize: 0x5fff, consoleSize: 0x1fff }, 0x9000)).toEqual([
      'dmesg 0 0+4000',
      'dmesg 1 4000+4000',
      'console 0 8000+1000',
    ]);
  });

  it('zones of an odd size lose a byte, but not to kernels before 6.2', () => {
    const layout = { ...NONE, recordSize: 0x1000, consoleSize: 0x1000 };
    expect(shown(layout, 0x5001)).toEqual([
      'dmesg 0 0+1000',
      'dmesg 1 1000+1000',
      'dmesg 2 2000+1000',
      'dmesg 3 3000+1000',
      'console 0 4000+1000',
    ]);
    expect(shown({ ...layout, recordSize: 0x2000 }, 0x6003).slice(0, 2)).toEqual([
      'dmesg 0 0+2800',
      'dmesg 1 2800+2800',
    ]);
    expect(shown({ ...layout, recordSize: 0x2000, alignment: 1 }, 0x6003).slice(0, 2)).toEqual([
      'dmesg 0 0+2801',
      'dmesg 1 2801+2801',
    ]);
  });

  it('each CPU has its part of ftrace, and pmsg follows the last one', () => {
    expect(shown({ ...NONE, ftraceSize: 0x4000, pmsgSize: 0x1000, ftraceZones: 3 }, 0x5000)).toEqual([
      'ftrace 0 0+1554',
      'ftrace 1 1554+1554',
      'ftrace 2 2aa8+1554',
      'pmsg 0 3ffc+1000',
    ]);
  });

  it.each<[string, Partial<RamoopsLayout>, string]>([
    ['nothing', {}, 'there are no zones: give at least one of them a size'],
    [
      'more than there is',
      { consoleSize: 0x20000 },
      '131072 bytes of console, ftrace and pmsg do not fit into a region of 65536',
    ],
    ['a dump of more than is left', { consoleSize: 0x8000, recordSize: 0x10000 }, 'that is 0 of them'],
    ['too many dumps', { recordSize: 1 }, 'and there may be 1 to 65536'],
    [
      'dumps without room',
      { recordSize: 8 },
      'a dmesg zone of 8 bytes has no room for data behind its header',
    ],
    [
      'parity without room',
      { recordSize: 32, ecc: 16 },
      'a dmesg zone of 32 bytes has no room for data behind its header and parity',
    ],
    [
      'too much parity',
      { recordSize: 4096, ecc: 128 },
      'ecc is 128: it must be a whole number from 0 to 127',
    ],
    [
      'a negative size',
      { recordSize: -1 },
      'recordSize is -1: it must be a whole number of bytes below 2 GiB',
    ],
    ['a size that is none', { pmsgSize: Number.NaN }, 'pmsgSize is NaN'],
    ['no CPU', { ftraceSize: 4096, ftraceZones: 0 }, '4096 bytes cannot be 0 ftrace zones'],
  ])('%s is refused', (_, sizes, message) => {
    const size = sizes.recordSize === 1 ? 70_000 : 65_536;
    expect(() => placeZones({ ...NONE, ...sizes }, size)).toThrow(
      expect.objectContaining({ code: 'ERR_LAYOUT', message: expect.stringContaining(message) }),
    );
  });

  it('parity takes room at the end, for each 128 bytes and for the header', () => {
    expect(zoneSpace(4096, 0)).toEqual({ capacity: 4084, blockParity: 4096, headerParity: 4096 });
    // 4084 bytes: 29 blocks of 128 + 16, and 16 for the header.
    expect(zoneSpace(4096, 1)).toEqual({ capacity: 3604, blockParity: 3616, headerParity: 4080 });
    expect(zoneSpace(4096, 16)).toEqual(zoneSpace(4096, 1));
    expect(zoneSpace(28, 16)).toBeUndefined();
    expect(zoneSpace(60, 16)).toEqual({ capacity: 16, blockParity: 28, headerParity: 44 });
  });
});

describe('a layout as text', () => {
  it('on a kernel command line: what is not said is 4096 bytes', () => {
    expect(
      parseCommandLine('quiet ramoops.mem_size=0x100000 ramoops.ecc=1 ramoops.console-size=010000'),
    ).toEqual({
      memSize: 0x100000,
      recordSize: 4096,
      consoleSize: 4096,
      ftraceSize: 4096,
      pmsgSize: 4096,
      ecc: 1,
    });
  });

  it('on a kernel command line: the last word counts', () => {
    const line =
      'ramoops.mem_size=65536 "ramoops.mem_address=0x8000000" ramoops.record_size=0 ramoops.record_size=8192';
    expect(parseCommandLine(line)).toMatchObject({ memSize: 65536, memAddress: 0x8000000, recordSize: 8192 });
  });

  it('in short: what is not said is not there', () => {
    expect(
      parseLayout('record=128K, console=0x20000,pmsg=1m ecc=16,cpus=4,order=big,mem=4M,address=1G'),
    ).toEqual({
      memSize: 0x400000,
      memAddress: 0x40000000,
      recordSize: 0x20000,
      consoleSize: 0x20000,
      ftraceSize: 0,
      pmsgSize: 0x100000,
      ecc: 16,
      ftraceZones: 4,
      byteOrder: 'big',
    });
  });

  it('by the name of a known machine', () => {
    expect(parseLayout('arcvm')).toBe(ARCVM_LAYOUT);
  });

  it.each([
    ['quiet splash ramoops.ecc=1', undefined, 'no ramoops.mem_size= on this kernel command line'],
    ['ramoops.mem_size=1 ramoops.ecc=x', 19, '"x" in "ramoops.ecc=x" is not a number'],
    ['record=12Q', 0, '"12Q" in "record=12Q" is not a number'],
    ['record=', 0, '"" in "record=" is not a number'],
    ['record=4096,consol=1', 12, '"consol=1" says nothing of a layout'],
    ['order=middle', 0, '"order=middle" says nothing of a layout'],
    ['toString=1', 0, '"toString=1" says nothing of a layout'],
    ['record=99999999999999999999', 0, 'is not a number'],
  ])('%s is refused, and where', (text, offset, message) => {
    expect(() => parseLayout(text)).toThrow(
      expect.objectContaining({ code: 'ERR_LAYOUT_TEXT', offset, message: expect.stringContaining(message) }),
    );
  });
});
