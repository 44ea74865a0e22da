import { describe, expect, it } from 'vitest';
import { isLoopback, parseAddress } from './index.ts';

describe('isLoopback', () => {
  it.each([
    'unix:/run/9s.sock',
    'unix-abstract:9s',
    'vsock:local:1',
    'tcp:127.0.0.1:1',
    'tcp:127.255.255.254:1',
    'tcp:[::1]:1',
    'tcp:[0:0:0:0:0:0:0:1]:1',
    'tcp:[::ffff:127.0.0.1]:1',
    'tcp:[::FFFF:7f00:1]:1',
    'tcp:localhost:1',
    'tcp:LocalHost.:1',
    'tcp:vm.localhost:1',
  ])('holds for %s', (text) => {
    expect(isLoopback(parseAddress(text, { for: 'listen' }))).toBe(true);
  });

  it.each([
    'vsock:1',
    'vsock:host:1',
    'vsock:3:1',
    'hybrid:/run/vm.sock:1',
    'unix-fd:3',
    'tcp:0.0.0.0:1',
    'tcp:[::]:1',
    'tcp:128.0.0.1:1',
    'tcp:[::2]:1',
    'tcp:[1::1]:1',
    'tcp:[::127.0.0.1]:1',
    'tcp:[::ffff:128.0.0.1]:1',
    'tcp:[1::ffff:127.0.0.1]:1',
    'tcp:notlocalhost:1',
    'tcp:localhost.example:1',
    'tcp:127.0.0.1.example:1',
  ])('does not hold for %s', (text) => {
    expect(isLoopback(parseAddress(text, { for: 'listen' }))).toBe(false);
  });
});
