import { describe, expect, it } from 'vitest';
import { detectLayout } from './detect-layout.ts';
import { ARCVM_LAYOUT, type RamoopsLayout } from './layout.ts';
import { buildRamoops } from './synth/build-ramoops.ts';

const LOG = '[    0.000000] Linux version 6.1.0\n[    1.000000] hello\n';
const contents = { dumps: [{ log: `<6>${LOG}` }], console: LOG, pmsg: 'from user space' };
const sizes = ({ recordSize, consoleSize, ftraceSize, pmsgSize, ecc }: RamoopsLayout) => ({
  recordSize,
  consoleSize,
  ftraceSize,
  pmsgSize,
  ecc,
});

describe('a layout that is found', () => {
  const layouts: Record<string, RamoopsLayout> = {
    ARCVM: ARCVM_LAYOUT,
    'with parity': {
      memSize: 0x80000,
      recordSize: 0x8000,
      consoleSize: 0x10000,
      ftraceSize: 0x4000,
      pmsgSize: 0x2000,
      ecc: 16,
    },
    'with 5 parity bytes': {
      memSize: 0x40000,
      recordSize: 0x4000,
      consoleSize: 0x8000,
      ftraceSize: 0x1000,
      pmsgSize: 0x800,
      ecc: 5,
    },
    'that does not come out even': {
      memSize: 0x2f000,
      recordSize: 0x8000,
      consoleSize: 0x4000,
      ftraceSize: 0x1000,
      pmsgSize: 0x1000,
      ecc: 0,
    },
    'of four CPUs': {
      memSize: 0x40000,
      recordSize: 0x4000,
      consoleSize: 0x8000,
      ftraceSize: 0x4000,
      pmsgSize: 0x2000,
      ecc: 0,
      ftraceZones: 4,
    },
    'of three CPUs': {
      memSize: 0x40000,
      recordSize: 0x4000,
      consoleSize: 0x8000,
      ftraceSize: 0x4000,
      pmsgSize: 0x2000,
      ecc: 0,
      ftraceZones: 3,
    },
    'with odd sizes': {
      memSize: 0x41000 + 7,
      recordSize: 0x8000,
      consoleSize: 0x8000,
      ftraceSize: 0x1000,
      pmsgSize: 0x2000,
      ecc: 0,
      alignment: 1,
    },
    'of a big-endian machine': {
      memSize: 0x40000,
      recordSize: 0x4000,
      consoleSize: 0x8000,
      ftraceSize: 0x1000,
      pmsgSize: 0x2000,
      ecc: 16,
      byteOrder: 'big',
    },
  };

  it.each(Object.entries(layouts))('%s', (_, layout) => {
    const found = detectLayout(buildRamoops({ layout, ...contents }));
    expect(found.confidence).not.toBe('guess');
    expect(sizes(found.layout)).toEqual(sizes(layout));
    expect(found.layout.ftraceZones).toBe(layout.ftraceZones ?? 1);
    expect(found.layout.alignment).toBe(layout.alignment ?? 2);
    expect(found.layout.byteOrder).toBe(layout.byteOrder ?? 'little');
  });

  it('is certain when nothing else explains the signatures', () => {
    const { confidence, reasons } = detectLayout(buildRamoops({ layout: ARCVM_LAYOUT, ...contents }));
    expect({ confidence, reasons }).toEqual({
      confidence: 'certain',
      reasons: ['5 of 5 zones begin with a signature'],
    });
  });

  const even = {
    memSize: 0x20000,
    recordSize: 0x4000,
    consoleSize: 0x4000,
    ftraceSize: 0,
    pmsgSize: 0x4000,
    ecc: 0,
  };

  it('is likely when what the zones hold decides', () => {
    const { confidence, reasons, layout } = detectLayout(buildRamoops({ layout: even, ...contents }));
    expect(confidence).toBe('likely');
    expect(reasons).toContain('3 other layouts have zones at the same places; what the zones hold decides');
    expect(sizes(layout)).toEqual(sizes(even));
  });

  it('is a guess when they hold nothing', () => {
    const { confidence, reasons } = detectLayout(buildRamoops({ layout: even }));
    expect(confidence).toBe('guess');
    expect(reasons.at(-1)).toBe(
      '3 other layouts have zones at the same places, and what they hold does not decide',
    );
  });

  it('is a guess when a zone has lost its signature', () => {
    const given = { ...even, ftraceSize: 0x1000, consoleSize: 0x8000 };
    const region = buildRamoops({ layout: given, ...contents });
    region[0x4c00] = 0;
    const { confidence, reasons, layout } = detectLayout(region);
    expect([confidence, reasons[0]]).toEqual(['guess', '6 of 7 zones begin with a signature']);
    expect(sizes(layout)).toEqual(sizes(given));
  });

  it('is not led astray by text that looks like a signature', () => {
    const region = buildRamoops({ layout: ARCVM_LAYOUT, ...contents, console: `${LOG}DBGC DBGC\n` });
    const { layout, reasons } = detectLayout(region);
    expect(sizes(layout)).toEqual(sizes(ARCVM_LAYOUT));
    expect(reasons).toContain('2 signatures are left over');
  });

  it.each([
    ['zeros', new Uint8Array(0x10000), 'in 65536 bytes no zone begins'],
    ['nothing', new Uint8Array(0), 'in 0 bytes no zone begins'],
    [
      'a lone signature',
      Uint8Array.from({ length: 0x10000 }, (_, at) => 'DBGC'.charCodeAt(at - 777) || 0),
      'no layout has them there',
    ],
  ])('there is none in %s', (_, bytes, message) => {
    expect(() => detectLayout(bytes)).toThrow(
      expect.objectContaining({
        code: 'ERR_LAYOUT_UNKNOWN',
        offset: 0,
        message: expect.stringContaining(message),
      }),
    );
  });
});
