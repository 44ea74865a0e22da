import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Address, AddressError, Cid, formatAddress, parseAddress } from './index.ts';

const listen = (text: string) => parseAddress(text, { for: 'listen' });
const connect = (text: string) => parseAddress(text, { for: 'connect' });

function failure(text: string, purpose: 'listen' | 'connect' = 'listen'): AddressError {
  try {
    parseAddress(text, { for: purpose });
  } catch (error) {
    expect(error).toBeInstanceOf(AddressError);
    return error as AddressError;
  }
  throw new Error(`${text} was taken for an address`);
}

describe('parseAddress', () => {
  it.each<[string, Address]>([
    ['vsock:3:16384', { kind: 'vsock', cid: 3, port: 16384 }],
    ['vsock://3:16384', { kind: 'vsock', cid: 3, port: 16384 }],
    ['vsock:hypervisor:1', { kind: 'vsock', cid: 0, port: 1 }],
    ['vsock:local:1', { kind: 'vsock', cid: 1, port: 1 }],
    ['vsock:host:8888', { kind: 'vsock', cid: 2, port: 8888 }],
    ['vsock://host:0', { kind: 'vsock', cid: 2, port: 0 }],
    ['hybrid:/run/vm.sock:52', { kind: 'hybrid', path: '/run/vm.sock', port: 52 }],
    ['hybrid:/run/a:b:52', { kind: 'hybrid', path: '/run/a:b', port: 52 }],
    ['unix:/run/9s.sock', { kind: 'unix', path: '/run/9s.sock' }],
    ['unix:/run/with:colon and ümlaut', { kind: 'unix', path: '/run/with:colon and ümlaut' }],
    ['unix-abstract:9s', { kind: 'unix-abstract', name: '9s' }],
    ['unix-abstract:/not/a:path', { kind: 'unix-abstract', name: '/not/a:path' }],
    ['unix-fd:0', { kind: 'unix-fd', fd: 0 }],
    ['unix-fd:2147483647', { kind: 'unix-fd', fd: 2147483647 }],
    ['tcp:127.0.0.1:564', { kind: 'tcp', host: '127.0.0.1', port: 564 }],
    ['tcp:[::1]:564', { kind: 'tcp', host: '::1', port: 564 }],
    ['tcp:[fe80::1%eth0]:564', { kind: 'tcp', host: 'fe80::1%eth0', port: 564 }],
    ['tcp:vm-host.example:65535', { kind: 'tcp', host: 'vm-host.example', port: 65535 }],
  ])('reads %s for both purposes', (text, address) => {
    expect(listen(text)).toEqual(address);
    expect(connect(text)).toEqual(address);
  });

  it.each<[string, Address]>([
    ['vsock:16384', { kind: 'vsock', cid: Cid.any, port: 16384 }],
    ['vsock::16384', { kind: 'vsock', cid: Cid.any, port: 16384 }],
    ['vsock:any:16384', { kind: 'vsock', cid: Cid.any, port: 16384 }],
    ['vsock://any:4294967295', { kind: 'vsock', cid: Cid.any, port: 4294967295 }],
    ['vsock:4294967295:1', { kind: 'vsock', cid: Cid.any, port: 1 }],
    ['tcp:127.0.0.1:0', { kind: 'tcp', host: '127.0.0.1', port: 0 }],
  ])('reads %s to listen on, and refuses it to connect to', (text, address) => {
    expect(listen(text)).toEqual(address);
    expect(failure(text, 'connect').code).toBe('ERR_ADDRESS_PURPOSE');
  });

  it.each([
    // text, code, offset of the trouble
    ['', 'ERR_ADDRESS_SCHEME', 0],
    ['9s', 'ERR_ADDRESS_SCHEME', 0],
    ['/run/9s.sock', 'ERR_ADDRESS_SCHEME', 0],
    ['constructor:1', 'ERR_ADDRESS_SCHEME', 0],
    ['UNIX:/run/9s.sock', 'ERR_ADDRESS_SCHEME', 0],
    ['vsock:', 'ERR_ADDRESS_PORT', 6],
    ['vsock:a', 'ERR_ADDRESS_PORT', 6],
    ['vsock:3:', 'ERR_ADDRESS_PORT', 8],
    ['vsock:3:4294967296', 'ERR_ADDRESS_PORT', 8],
    ['vsock:3:-1', 'ERR_ADDRESS_PORT', 8],
    ['vsock:3:0x10', 'ERR_ADDRESS_PORT', 8],
    ['vsock:3:010', 'ERR_ADDRESS_PORT', 8],
    ['vsock:3: 1', 'ERR_ADDRESS_PORT', 8],
    ['vsock:4294967296:1', 'ERR_ADDRESS_CID', 6],
    ['vsock:guest:1', 'ERR_ADDRESS_CID', 6],
    ['vsock:toString:1', 'ERR_ADDRESS_CID', 6],
    ['vsock:1:2:3', 'ERR_ADDRESS_FORM', 6],
    ['vsock://16384', 'ERR_ADDRESS_FORM', 8],
    ['vsock://:16384', 'ERR_ADDRESS_FORM', 8],
    ['hybrid:/run/vm.sock', 'ERR_ADDRESS_FORM', 7],
    ['hybrid:run/vm.sock:1', 'ERR_ADDRESS_PATH', 7],
    ['hybrid:/run/vm.sock:x', 'ERR_ADDRESS_PORT', 20],
    ['unix:', 'ERR_ADDRESS_PATH', 5],
    ['unix:run/9s.sock', 'ERR_ADDRESS_PATH', 5],
    ['unix:/run/\0', 'ERR_ADDRESS_PATH', 10],
    ['unix:/run/\ud800', 'ERR_ADDRESS_PATH', 10],
    ['unix-abstract:', 'ERR_ADDRESS_NAME', 14],
    ['unix-abstract:a\0b', 'ERR_ADDRESS_NAME', 15],
    ['unix-fd:', 'ERR_ADDRESS_FD', 8],
    ['unix-fd:-1', 'ERR_ADDRESS_FD', 8],
    ['unix-fd:2147483648', 'ERR_ADDRESS_FD', 8],
    ['tcp:127.0.0.1', 'ERR_ADDRESS_FORM', 4],
    ['tcp:[::1]', 'ERR_ADDRESS_FORM', 4],
    ['tcp::564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:::1:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:[127.0.0.1]:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:[::g]:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:127.1:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:127.0.0.256:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:0x7f000001:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:-a:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:a..b:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:a b:564', 'ERR_ADDRESS_HOST', 4],
    ['tcp:127.0.0.1:65536', 'ERR_ADDRESS_PORT', 14],
    ['tcp:[::1]:65536', 'ERR_ADDRESS_PORT', 10],
  ])('refuses %j: %s at %i', (text, code, offset) => {
    expect(failure(text)).toMatchObject({ code, offset, text });
  });

  it('counts the bytes of a path, not its characters', () => {
    expect(listen(`unix:/${'é'.repeat(53)}`).kind).toBe('unix');
    expect(failure(`unix:/${'é'.repeat(53)}x`).problem).toBe('the path has 108 bytes');
    expect(listen(`unix-abstract:${'x'.repeat(107)}`).kind).toBe('unix-abstract');
    expect(failure(`unix-abstract:${'x'.repeat(108)}`).code).toBe('ERR_ADDRESS_NAME');
  });

  it('leaves room for the port in the path of a hybrid socket to listen on', () => {
    const text = `hybrid:/${'x'.repeat(104)}:1024`;
    expect(connect(text).kind).toBe('hybrid');
    expect(failure(text).problem).toBe('the path has 110 bytes with its "_1024"');
  });

  it('says what is wrong, where, and what to write instead', () => {
    expect(failure('vsock:3:70000000000').message).toBe(
      'address "vsock:3:70000000000" at character 9: the port 70000000000 is too large; write a port from 0 to 4294967295',
    );
    expect(failure('vsock:16384', 'connect').message).toBe(
      'address "vsock:16384" at character 7: no CID says whom to connect to; ' +
        'write vsock:CID:PORT, with the CID of the guest, or host or local',
    );
    expect(failure('/run/9s.sock').message).toBe(
      'address "/run/9s.sock": no kind of address stands before a colon; write unix:/run/9s.sock',
    );
    expect(failure('127.0.0.1:564').remedy).toBe('tcp:127.0.0.1:564');
    expect(failure('UNIX:/run/9s.sock').remedy).toBe('unix:/run/9s.sock');
  });
});

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const pathBytes = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((text) => !text.includes('\0') && new TextEncoder().encode(text).length < 90);
const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());

const address: fc.Arbitrary<Address> = fc.oneof(
  fc.record({ kind: fc.constant('vsock' as const), cid: u32, port: u32 }),
  fc.record({ kind: fc.constant('hybrid' as const), path: pathBytes.map((text) => `/${text}`), port: u32 }),
  fc.record({ kind: fc.constant('unix' as const), path: pathBytes.map((text) => `/${text}`) }),
  fc.record({ kind: fc.constant('unix-abstract' as const), name: pathBytes }),
  fc.record({ kind: fc.constant('unix-fd' as const), fd: fc.nat() }),
  fc.record({ kind: fc.constant('tcp' as const), host, port: fc.integer({ min: 0, max: 65535 }) }),
);

describe('every address', () => {
  it('is read back from its text as it was', () => {
    fc.assert(
      fc.property(address, (original) => {
        expect(listen(formatAddress(original))).toEqual(original);
      }),
      { numRuns: 2000 },
    );
  });

  it('that is fit to connect to is also fit to listen on, and the same', () => {
    fc.assert(
      fc.property(address, (original) => {
        let parsed: Address;
        try {
          parsed = connect(formatAddress(original));
        } catch (error) {
          expect((error as AddressError).code).toBe('ERR_ADDRESS_PURPOSE');
          return;
        }
        expect(parsed).toEqual(original);
      }),
    );
  });
});

describe('every text', () => {
  const pieces = fc.constantFrom(
    ...[
      'vsock',
      'hybrid',
      'unix',
      'unix-abstract',
      'unix-fd',
      'tcp',
      ':',
      '::',
      '//',
      '/',
      '[',
      ']',
      '%',
      '.',
    ],
    ...[
      'any',
      'host',
      '0',
      '3',
      '4294967295',
      '4294967296',
      '::1',
      '127.0.0.1',
      'a',
      '\0',
      '\ud800',
      'é',
      '-',
      ' ',
    ],
  );
  const soup = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''));
  const cut = fc.tuple(address, fc.nat(30), fc.string({ maxLength: 3 })).map(([original, at, noise]) => {
    const text = formatAddress(original);
    return text.slice(0, at) + noise + text.slice(at);
  });

  it.each(['listen', 'connect'] as const)(
    'is an address to %s, or an AddressError that points into it',
    (purpose) => {
      fc.assert(
        fc.property(fc.oneof(soup, cut, fc.string({ unit: 'binary' })), (text) => {
          try {
            const parsed = parseAddress(text, { for: purpose });
            expect(parseAddress(formatAddress(parsed), { for: purpose })).toEqual(parsed);
          } catch (error) {
            if (!(error instanceof AddressError)) throw error;
            expect(error.offset).toBeGreaterThanOrEqual(0);
            expect(error.offset).toBeLessThanOrEqual(text.length);
            expect(error.remedy).not.toBe('');
          }
        }),
        { numRuns: 5000 },
      );
    },
  );
});
