import { describe, expect, it } from 'vitest';
import { passedSockets } from './index.ts';

describe('passedSockets', () => {
  it('counts from descriptor 3, with their names, and leaves nothing in the environment', () => {
    const env = { LISTEN_PID: '77', LISTEN_FDS: '3', LISTEN_FDNAMES: 'a::c', PATH: '/bin' };
    expect(passedSockets(env, 77)).toEqual([
      { fd: 3, name: 'a' },
      { fd: 4, name: 'unknown' },
      { fd: 5, name: 'c' },
    ]);
    expect(env).toEqual({ PATH: '/bin' });
  });

  it.each([
    {},
    { LISTEN_FDS: '1' },
    { LISTEN_PID: '76', LISTEN_FDS: '1' },
    { LISTEN_PID: '77' },
    { LISTEN_PID: '77', LISTEN_FDS: 'x' },
    { LISTEN_PID: '77', LISTEN_FDS: '-1' },
    { LISTEN_PID: '77', LISTEN_FDS: '0' },
    { LISTEN_PID: '77', LISTEN_FDS: '99999999999' },
  ])('are none with %j', (env) => {
    expect(passedSockets(env, 77)).toEqual([]);
    expect(env).toEqual({});
  });
});
