import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressText, decodeAddress, encodeAddress, type SocketAddress } from './address.ts';

const port = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 100 })
  .filter((path) => !path.includes('\0') && Buffer.byteLength(path) <= 107);
const anyAddress: fc.Arbitrary<SocketAddress> = fc.oneof(
  text.map((path) => ({ family: 'unix', path }) as const),
  text.map((name) => ({ family: 'unix-abstract', name }) as const),
  fc.tuple(fc.ipV4(), port).map(([host, port]) => ({ family: 'inet', host, port }) as const),
  fc.record({ family: fc.constant('vsock' as const), cid: u32, port: u32 }),
  fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), port).map(([bytes, port]) => {
    const shape = Buffer.alloc(28);
    shape.set(encodeAddress({ family: 'inet6', host: '::', port }, 'bind'));
    shape.set(bytes, 8);
    return decodeAddress(shape, 'bind');
  }),
);

describe('socket addresses', () => {
  test('survive the struct', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        expect(decodeAddress(encodeAddress(address, 'bind'), 'bind')).toEqual(address);
      }),
    );
  });

  test('are laid out as the kernel wants them', () => {
    const hex = (address: SocketAddress) => Buffer.from(encodeAddress(address, 'bind')).toString('hex');
    expect(hex({ family: 'unix', path: '/x' })).toBe('01002f7800');
    expect(hex({ family: 'unix-abstract', name: 'x' })).toBe('01000078');
    expect(hex({ family: 'inet', host: '127.0.0.1', port: 80 })).toBe('020000507f0000010000000000000000');
    const inet6 = `0a0000500000000020010db8${'00'.repeat(11)}0100000000`;
    expect(hex({ family: 'vsock', cid: 3, port: 1024 })).toBe('28000000000400000300000000000000');
    expect(hex({ family: 'inet6', host: '2001:db8::1', port: 80 })).toBe(inet6);
  });

  test('without a name read as an empty path', () => {
    expect(decodeAddress(Uint8Array.of(1, 0), 'getsockname')).toEqual({ family: 'unix', path: '' });
  });

  test('that cannot be are refused with the address in the error', () => {
    const bad: [SocketAddress, code: string][] = [
      [{ family: 'unix', path: '' }, 'EINVAL'],
      [{ family: 'unix', path: 'a\0b' }, 'EINVAL'],
      [{ family: 'unix', path: 'x'.repeat(108) }, 'ENAMETOOLONG'],
      [{ family: 'unix-abstract', name: 'é'.repeat(54) }, 'ENAMETOOLONG'],
      [{ family: 'inet', host: 'localhost', port: 80 }, 'EINVAL'],
      [{ family: 'inet', host: '::1', port: 80 }, 'EINVAL'],
      [{ family: 'inet6', host: '127.0.0.1', port: 80 }, 'EINVAL'],
      [{ family: 'inet6', host: 'fe80::1%lo', port: 80 }, 'EINVAL'],
      [{ family: 'inet', host: '127.0.0.1', port: 65_536 }, 'EINVAL'],
      [{ family: 'inet', host: '127.0.0.1', port: -1 }, 'EINVAL'],
      [{ family: 'inet', host: '127.0.0.1', port: 1.5 }, 'EINVAL'],
      [{ family: 'vsock', cid: -1, port: 1 }, 'EINVAL'],
      [{ family: 'vsock', cid: 3, port: 2 ** 32 }, 'EINVAL'],
    ];
    for (const [address, code] of bad) {
      const expected = expect.objectContaining({ code, syscall: 'connect', address: addressText(address) });
      expect(() => encodeAddress(address, 'connect')).toThrow(expected);
    }
  });

  test('of another family, or cut short, cannot be read', () => {
    for (const bytes of [[40, 0, 0, 0], [2, 0, 0, 80], [], [1]]) {
      expect(() => decodeAddress(Uint8Array.from(bytes), 'getpeername')).toThrow(
        expect.objectContaining({ code: 'EAFNOSUPPORT', syscall: 'getpeername' }),
      );
    }
  });

  test('have a text for messages', () => {
    expect(addressText({ family: 'unix', path: '/run/x' })).toBe('unix:/run/x');
    expect(addressText({ family: 'unix-abstract', name: 'x' })).toBe('unix-abstract:x');
    expect(addressText({ family: 'inet', host: '10.0.0.1', port: 1 })).toBe('10.0.0.1:1');
    expect(addressText({ family: 'inet6', host: '::1', port: 1 })).toBe('[::1]:1');
  });
});
