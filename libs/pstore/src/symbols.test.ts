import { describe, expect, it } from 'vitest';
import { kernelOffset, SymbolTable } from './symbols.ts';

const MAP = `ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81000100 w weak_one
ffffffff81000100 T __real_one
ffffffff81000200 t static_one
ffffffffc0000000 t in_module	[ext4]
ffffffffc0000040 t after_it	[ext4]
`;

describe('symbols', () => {
  const symbols = SymbolTable.parse(MAP);

  it.each([
    [0xffffffff81000000n, 'startup_64+0x0/0x100'],
    [0xffffffff810000ffn, 'startup_64+0xff/0x100'],
    [0xffffffff81000150n, '__real_one+0x50/0x100'],
    [0xffffffffc000003fn, 'in_module+0x3f/0x40 [ext4]'],
    [0xffffffffc0000100n, 'after_it+0xc0/0x0 [ext4]'],
    [0xffffffff80ffffffn, undefined],
  ])('%i is %s', (address, text) => {
    expect(symbols.describe(address)).toBe(text);
  });

  it('are looked for in the kernel and in its modules, and nowhere else', () => {
    const image = `0000000000001000 A absolute\nffffffff81000000 T _stext\nffffffff81000300 B _end\n`;
    const whole = SymbolTable.parse(MAP + image, { offset: 0x1000n });
    const described = [
      0x2000n,
      0xffffffff81001100n,
      0xffffffff810012ffn,
      0xffffffff81001300n,
      0xffffffffc0001001n,
    ];
    expect(described.map((address) => whole.describe(address))).toEqual([
      undefined,
      '__real_one+0x0/0x100',
      'static_one+0xff/0x100',
      undefined,
      'in_module+0x1/0x40 [ext4]',
    ]);
  });

  it('of a System.map move with the kernel', () => {
    const moved = SymbolTable.parse(MAP, { offset: 0x1e00000n });
    expect(moved.describe(0xffffffff82e00210n)).toBe('static_one+0x10/0x3efffe00');
  });

  it.each([
    ['0000000000000000 T _text\n0000000000000000 T start\n', 'there is no address but 0'],
    ['', 'there is no address but 0'],
    ['ffffffff81000000 T _text\nELF...', '"ELF..." is no line of a System.map'],
  ])('%j are none', (text, message) => {
    expect(() => SymbolTable.parse(text)).toThrow(
      expect.objectContaining({ code: 'ERR_SYMBOLS', message: expect.stringContaining(message) }),
    );
  });

  it.each([
    ['<0>[    3.2] Kernel Offset: 0x1e00000 from 0xffffffff81000000 (relocation range: ...)\n', 0x1e00000n],
    ['<0>[    3.2] Kernel Offset: disabled\n', 0n],
    ['nothing of it', undefined],
  ])('a panic tells by how much the kernel was moved: %s', (log, offset) => {
    expect(kernelOffset(Buffer.from(log))).toBe(offset);
  });
});
