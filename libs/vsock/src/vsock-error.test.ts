import { Errno, SystemError } from '@vm-tools/linux';
import { describe, expect, it } from 'vitest';
import { explained, VsockError } from './vsock-error.ts';

const address = { kind: 'vsock', cid: 3, port: 1024 } as const;

describe('an error of a system call', () => {
  it('says what was tried, where, why it failed and what to do', () => {
    const cause = new SystemError(Errno.ECONNRESET, 'connect');
    const error = explained(cause, 'connect to', address) as VsockError;
    expect(error).toBeInstanceOf(VsockError);
    expect(error).toMatchObject({ code: 'ECONNRESET', address: 'vsock:3:1024', cause });
    expect(error.message).toBe(
      'cannot connect to vsock:3:1024: ECONNRESET: connection reset by peer, connect; ' +
        'see that a program listens on that port, and that it is not overrun',
    );
  });

  it.each([
    ['connect to', Errno.ENODEV, 'connect', 'ENODEV', 'modprobe vhost_vsock'],
    ['connect to', Errno.ETIMEDOUT, 'connect', 'ETIMEDOUT', 'see that the VM runs'],
    ['connect to', Errno.EAFNOSUPPORT, 'socket', 'ERR_VSOCK_UNAVAILABLE', 'modprobe vsock_loopback'],
    [
      'listen on',
      Errno.EAFNOSUPPORT,
      'socket',
      'ERR_VSOCK_UNAVAILABLE',
      'modprobe vmw_vsock_virtio_transport',
    ],
    ['listen on', Errno.EADDRNOTAVAIL, 'bind', 'EADDRNOTAVAIL', 'listen on the CID any'],
    ['listen on', Errno.EACCES, 'bind', 'EACCES', 'CAP_NET_BIND_SERVICE'],
    ['listen on', Errno.EADDRINUSE, 'bind', 'EADDRINUSE', 'choose another address'],
    ['use', Errno.EACCES, 'open', 'EACCES', 'chmod a+r /dev/vsock'],
  ] as const)('has a remedy: cannot %s, %d of %s', (operation, errno, syscall, code, remedy) => {
    const error = explained(new SystemError(errno, syscall), operation, address) as VsockError;
    expect(error.code).toBe(code);
    expect(error.remedy).toContain(remedy);
    expect(error.message.endsWith(`; ${error.remedy}`)).toBe(true);
  });

  it('is left as it is when it is none', () => {
    const other = new TypeError('mine');
    expect(explained(other, 'use', address)).toBe(other);
    expect(explained('text', 'use', address)).toBe('text');
  });
});
