import { describe, expect, test } from 'vitest';
import { builtinParameters, type ModuleIndex, readModuleInfo, resolveModules } from './module-index.ts';

/** A module that has nothing but its .modinfo. */
function moduleFile(fields: readonly string[]): Buffer {
  const names = Buffer.from('\0.shstrtab\0.modinfo\0');
  const modinfo = Buffer.from(fields.map((field) => `${field}\0`).join(''));
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  const sections = Buffer.alloc(3 * 64);
  const section = (index: number, name: number, offset: number, size: number) => {
    sections.writeUInt32LE(name, index * 64);
    sections.writeBigUInt64LE(BigInt(offset), index * 64 + 0x18);
    sections.writeBigUInt64LE(BigInt(size), index * 64 + 0x20);
  };
  section(1, 1, 64, names.length);
  section(2, 11, 64 + names.length, modinfo.length);
  header.writeBigUInt64LE(BigInt(64 + names.length + modinfo.length), 0x28);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(3, 0x3c);
  header.writeUInt16LE(1, 0x3e);
  return Buffer.concat([header, names, modinfo, sections]);
}

test('a module says what it depends on and what it is called', () => {
  const file = moduleFile([
    'license=GPL',
    'alias=fs-ext4',
    'alias=crypto-crc32c',
    'depends=jbd2,mbcache,crypto-simd',
    'softdep=pre: crypto-crc32c other post: late',
    'softdep=post: later',
  ]);
  expect(readModuleInfo('fs/ext4.ko', file)).toEqual({
    path: 'fs/ext4.ko',
    depends: ['jbd2', 'mbcache', 'crypto_simd'],
    softDepends: ['crypto-crc32c', 'other'],
    aliases: ['crypto-crc32c'],
  });
  expect(readModuleInfo('a.ko', moduleFile(['depends=']))).toMatchObject({ depends: [], softDepends: [] });
});

test.each([Buffer.alloc(10), Buffer.alloc(100)])('what is not a module is refused', (file) => {
  expect(() => readModuleInfo('x.ko', file)).toThrow('x.ko is not a 64-bit little-endian ELF file');
});

describe('modules are loaded', () => {
  const entry = (depends: string[] = [], softDepends: string[] = [], aliases: string[] = []) => ({
    path: '',
    depends,
    softDepends,
    aliases,
  });
  const modules = {
    ext4: entry(['jbd2', 'crc16'], ['crypto-crc32c']),
    jbd2: entry(['crc16']),
    crc16: entry(),
    crc32c_intel: entry([], [], ['crypto-crc32c']),
    crc32c_generic: entry([], [], ['crypto-crc32c']),
    needs_absent: entry(['absent']),
    wants_absent: entry([], ['crypto-absent']),
    ring: entry(['ring2']),
    ring2: entry([], ['ring']),
  };
  const index: ModuleIndex = {
    modules: Object.fromEntries(
      Object.entries(modules).map(([name, info]) => [name, { ...info, path: `${name}.ko` }]),
    ),
    builtin: ['libcrc'],
  };
  const order = (...wanted: string[]) => resolveModules(wanted, index).map(({ path }) => path);

  test('after what they depend on, each once', () => {
    expect(order('ext4', 'jbd2')).toEqual(['crc32c_generic.ko', 'crc16.ko', 'jbd2.ko', 'ext4.ko']);
  });

  test('by names with dashes too, and not when the kernel has them built in', () => {
    expect(order('wants-absent', 'libcrc')).toEqual(['wants_absent.ko']);
  });

  test('not at all when one is missing, which is told with who needs it', () => {
    expect(() => order('needs_absent')).toThrow(
      "the guest's kernel has no module absent, which needs_absent needs",
    );
    expect(() => order('nonsense')).toThrow(/no module nonsense, which the caller needs/);
  });
});

test('parameters of what is in the kernel itself are words of its command line', () => {
  const index: ModuleIndex = { modules: {}, builtin: ['ramoops', 'efi_pstore'] };
  const lines = ['ramoops mem_size=0x1000 ecc=1', 'efi-pstore pstore_disable=0', 'ext4 x=1', 'ramoops'];
  expect(builtinParameters(lines, index)).toEqual([
    'ramoops.mem_size=0x1000',
    'ramoops.ecc=1',
    'efi_pstore.pstore_disable=0',
  ]);
});
