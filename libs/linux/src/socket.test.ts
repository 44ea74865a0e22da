import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { outside, test } from '../test/scratch-directory.ts';
import { decodeAddress, encodeAddress, type SocketAddress } from './address.ts';
import { constants } from './constants.ts';
import { close, getFlags, setNonblocking } from './descriptor.ts';
import { Errno, errnoCode } from './errno.ts';
import {
  accept,
  bind,
  connect,
  exchange,
  getpeername,
  getsockname,
  getsockopt,
  getsockoptBytes,
  listen,
  peerCredentials,
  poll,
  recv,
  recvfrom,
  recvmsg,
  recvv,
  send,
  sendmsg,
  sendto,
  sendv,
  setsockopt,
  setsockoptBytes,
  shutdown,
  socket,
  socketpair,
  vsockLocalCid,
} from './socket.ts';

const { AF_UNIX, AF_INET, AF_INET6, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_NONBLOCK, O_NONBLOCK } =
  constants;
const { MSG_DONTWAIT, MSG_PEEK, POLLIN, POLLOUT, POLLHUP, POLLRDHUP, POLLNVAL, SHUT_WR, SHUT_RDWR } =
  constants;
const { SOL_SOCKET, SO_TYPE, SO_REUSEADDR, SO_ERROR } = constants;

/** Runs with two connected Unix sockets. */
function withPair(body: (a: number, b: number) => void, type = SOCK_STREAM): void {
  const [a, b] = socketpair(AF_UNIX, type);
  try {
    body(a, b);
  } finally {
    close(a);
    close(b);
  }
}

describe('exchange', () => {
  test('sends the range, then receives into the other', () =>
    withPair((a, b) => {
      send(b, Buffer.from('answer'), 0, 6, 0);
      const buffer = Buffer.alloc(9, '.');
      expect(exchange(a, Buffer.from('..question..'), 2, 8, buffer, 2, 7)).toBe(6);
      expect(buffer.toString()).toBe('..answer.');
      expect(recv(b, buffer, 0, 9, MSG_DONTWAIT)).toBe(8);
      expect(buffer.toString()).toBe('question.');
      shutdown(b, SHUT_WR);
      expect(exchange(a, buffer, 0, 8, buffer, 0, 9)).toBe(0);
    }));

  test.each([false, true])('sends more than the socket takes, and waits (non-blocking: %s)', async (on) => {
    const [a, b] = socketpair(AF_UNIX, SOCK_STREAM);
    setNonblocking(a, on);
    const size = 4 << 20;
    // Of another process: this thread waits.
    const peer = spawn('sh', ['-c', `head --bytes ${size} | sha256sum`], { stdio: [b, b, 'inherit'] });
    close(b);
    try {
      const ended = once(peer, 'exit');
      const buffer = randomBytes(size);
      const digest = createHash('sha256').update(buffer).digest('hex');
      const length = exchange(a, buffer, 0, size, buffer, 0, size);
      expect(buffer.toString('latin1', 0, length)).toBe(`${digest}  -\n`);
      expect(await ended).toEqual([0, null]);
    } finally {
      close(a);
    }
  });

  test('tells errors of either', () =>
    withPair((a, b) => {
      const buffer = Buffer.alloc(8);
      expect(exchange(-1, buffer, 0, 8, buffer, 0, 8)).toBe(-Errno.EBADF);
      expect(exchange(a, buffer, 0, 9, buffer, 0, 8)).toBe(-Errno.EFAULT);
      expect(exchange(a, buffer, 0, 8, buffer, 1, 8)).toBe(-Errno.EFAULT);
      expect(recv(b, buffer, 0, 8, MSG_DONTWAIT)).toBe(-Errno.EAGAIN);
      shutdown(b, SHUT_RDWR);
      expect(exchange(a, buffer, 0, 8, buffer, 0, 8)).toBe(-Errno.EPIPE);
      expect(exchange(a, buffer, 0, 0, buffer, 0, 8)).toBe(0);
    }));
});

describe('send and recv', () => {
  test('move the bytes of the range', () =>
    withPair((a, b) => {
      expect(send(a, Buffer.from('..hello..'), 2, 5, 0)).toBe(5);
      const buffer = Buffer.alloc(9, '.');
      expect(recv(b, buffer, 2, 3, MSG_PEEK)).toBe(3);
      expect(recv(b, buffer, 2, 7, 0)).toBe(5);
      expect(buffer.toString()).toBe('..hello..');
    }));

  test('tell that nothing has come, that the peer ended, that it is gone', () =>
    withPair((a, b) => {
      const buffer = Buffer.alloc(8);
      expect(recv(b, buffer, 0, 8, MSG_DONTWAIT)).toBe(-Errno.EAGAIN);
      expect(shutdown(a, SHUT_WR)).toBe(0);
      expect(recv(b, buffer, 0, 8, 0)).toBe(0);
      expect(shutdown(a, SHUT_RDWR)).toBe(0);
      expect(send(b, buffer, 0, 8, 0)).toBe(-Errno.EPIPE);
      expect(sendv(b, buffer, Uint32Array.of(0, 8), 1, 0)).toBe(-Errno.EPIPE);
    }));

  test('to a peer that is gone raise no signal', async () => {
    let signals = 0;
    const count = () => signals++;
    process.on('SIGPIPE', count);
    withPair((a, b) => {
      shutdown(b, SHUT_RDWR);
      send(a, Buffer.from('x'), 0, 1, 0);
      sendv(a, Buffer.from('x'), Uint32Array.of(0, 1), 1, 0);
    });
    // Signals are told in the order in which they came.
    const later = new Promise((resolve) => process.once('SIGUSR2', resolve));
    process.kill(process.pid, 'SIGUSR2');
    await later;
    process.off('SIGPIPE', count);
    expect(signals).toBe(0);
  });

  test('give a negative errno', () => {
    const buffer = Buffer.alloc(8);
    expect(recv(-1, buffer, 0, 8, 0)).toBe(-Errno.EBADF);
    expect(send(-1, buffer, 0, 8, 0)).toBe(-Errno.EBADF);
    expect(shutdown(-1, SHUT_WR)).toBe(-Errno.EBADF);
  });

  test.for(outside)('refuse %d, %d of 8 bytes', ([start, length]) =>
    withPair((a) => {
      const buffer = Buffer.alloc(8);
      expect(errnoCode(recv(a, buffer, start, length, MSG_DONTWAIT))).toBe('EFAULT');
      expect(errnoCode(send(a, buffer, start, length, MSG_DONTWAIT))).toBe('EFAULT');
    }),
  );
});

describe('recvv', () => {
  test('fills ranges of one buffer, one after the other', () =>
    withPair((a, b) => {
      send(a, Buffer.from('hello, world'), 0, 12, 0);
      const buffer = Buffer.alloc(20, '.');
      expect(recvv(b, buffer, Uint32Array.of(10, 5, 0, 3, 99, 99), 2, 0)).toBe(8);
      expect(recvv(b, buffer, Float64Array.of(16, 4, 5, 5), 2, 0)).toBe(4);
      expect(buffer.toString()).toBe(', w.......hello.orld');
      expect(recvv(b, buffer, Uint32Array.of(0, 5), 1, MSG_DONTWAIT)).toBe(-Errno.EAGAIN);
      shutdown(a, SHUT_WR);
      expect(recvv(b, buffer, Uint32Array.of(0, 5), 1, 0)).toBe(0);
    }));
});

describe.each([
  ['sendv', sendv],
  ['recvv', recvv],
])('%s with ranges of doubles', (_, call) => {
  test.each([
    [0, 9],
    [8, 1],
    [9, 0],
    [-1, 1],
    [0, -1],
    [2 ** 32, 1],
    [1, 2 ** 53],
    [0, Number.NaN],
    [Number.POSITIVE_INFINITY, 1],
  ])('refuses %d, %d of 8 bytes', (start, length) =>
    withPair((a) => {
      const ranges = Float64Array.of(0, 1, start, length);
      expect(call(a, Buffer.alloc(8), ranges, 2, MSG_DONTWAIT)).toBe(-Errno.EFAULT);
    }),
  );

  test('refuses more of them than there are, and other arrays', () =>
    withPair((a) => {
      expect(call(a, Buffer.alloc(8), new Float64Array(3), 2, MSG_DONTWAIT)).toBe(-Errno.EFAULT);
      const others = new Float32Array(4) as unknown as Float64Array;
      expect(call(a, Buffer.alloc(8), others, 1, MSG_DONTWAIT)).toBe(-Errno.EINVAL);
    }));
});

describe('sendmsg and recvmsg', () => {
  const empty = new Int32Array(0);

  test('pass descriptors with the bytes that they were sent with', () =>
    withPair((a, b) =>
      withPair((c, d) => {
        expect(sendmsg(a, Buffer.from('.one'), 1, 3, 0, Int32Array.of(c, 99), 1)).toBe(3);
        expect(sendmsg(a, Buffer.from('two'), 0, 3, 0, empty, 0)).toBe(3);
        const [buffer, got] = [Buffer.alloc(8), new Int32Array(3)];
        expect(recvmsg(b, buffer, 0, 3, 0, got)).toBe(3);
        const [fd = -1, ...rest] = got;
        expect(rest).toEqual([-1, -1]);
        expect(recvmsg(b, buffer, 3, 5, 0, got)).toBe(3);
        expect([...got]).toEqual([-1, -1, -1]);
        expect(buffer.toString('latin1', 0, 6)).toBe('onetwo');
        send(d, Buffer.from('through'), 0, 7, 0);
        expect(recv(fd, buffer, 0, 8, 0)).toBe(7);
        expect(spawnSync('readlink', [`/proc/self/fd/${fd}`]).status).toBe(1); // close-on-exec
        close(fd);
      }),
    ));

  test('keep no descriptor of more than there is room for', () =>
    withPair((a, b) =>
      withPair((c, d) => {
        sendmsg(a, Buffer.from('x'), 0, 1, 0, Int32Array.of(c, c, c), 3);
        const got = new Int32Array(2);
        expect(recvmsg(b, Buffer.alloc(1), 0, 1, 0, got)).toBe(-Errno.EMSGSIZE);
        expect([...got]).toEqual([-1, -1]);
        close(c);
        expect(recv(d, Buffer.alloc(1), 0, 1, 0)).toBe(0); // nobody else holds c
      }),
    ));

  test('give a negative errno', () =>
    withPair((a, b) => {
      const buffer = Buffer.alloc(8);
      expect(recvmsg(b, buffer, 0, 8, MSG_DONTWAIT, empty)).toBe(-Errno.EAGAIN);
      expect(recvmsg(b, buffer, 1, 8, MSG_DONTWAIT, empty)).toBe(-Errno.EFAULT);
      expect(sendmsg(a, buffer, 1, 8, 0, empty, 0)).toBe(-Errno.EFAULT);
      expect(sendmsg(a, buffer, 0, 8, 0, empty, 1)).toBe(-Errno.EFAULT);
      expect(sendmsg(a, buffer, 0, 8, 0, new Int32Array(300), 254)).toBe(-Errno.EINVAL);
      expect(sendmsg(a, buffer, 0, 8, 0, Int32Array.of(999_999), 1)).toBe(-Errno.EBADF);
    }));
});

describe('sendv', () => {
  test('gathers ranges of one buffer into one message', () =>
    withPair((a, b) => {
      const ranges = Uint32Array.of(7, 5, 5, 1, 0, 5, 0, 0, 99, 99);
      expect(sendv(a, Buffer.from('hello, world'), ranges, 4, 0)).toBe(11);
      const buffer = Buffer.alloc(20);
      expect(recv(b, buffer, 0, 20, 0)).toBe(11);
      expect(buffer.toString('latin1', 0, 11)).toBe('world,hello');
    }, SOCK_SEQPACKET));

  test('takes up to 1024 ranges', () =>
    withPair((a, b) => {
      const data = Buffer.from(Array.from({ length: 1025 }, (_, index) => index & 0xff));
      const ranges = Uint32Array.from({ length: 2050 }, (_, index) => (index % 2 === 0 ? index / 2 : 1));
      expect(sendv(a, data, ranges, 1024, 0)).toBe(1024);
      const back = Buffer.alloc(2000);
      expect(recv(b, back, 0, 2000, 0)).toBe(1024);
      expect(back.subarray(0, 1024)).toEqual(data.subarray(0, 1024));
      expect(sendv(a, data, ranges, 1025, 0)).toBe(-Errno.EINVAL);
      expect(sendv(a, data, ranges, -1, 0)).toBe(-Errno.EINVAL);
    }));

  test('refuses ranges outside the buffer, and more of them than there are', () =>
    withPair((a) => {
      const buffer = Buffer.alloc(8);
      for (const [start, length] of [
        [0, 9],
        [8, 1],
        [9, 0],
        [1, 0xffff_ffff],
        [0xffff_ffff, 1],
      ] as const) {
        expect(sendv(a, buffer, Uint32Array.of(0, 1, start, length), 2, 0)).toBe(-Errno.EFAULT);
      }
      expect(sendv(a, buffer, Uint32Array.of(0, 1, 2), 2, 0)).toBe(-Errno.EFAULT);
      expect(recv(a, buffer, 0, 8, MSG_DONTWAIT)).toBe(-Errno.EAGAIN);
    }));
});

describe('poll', () => {
  test('tells what is ready, or that the time is over', () =>
    withPair((a, b) => {
      expect(poll(a, POLLIN, 0)).toBe(0);
      expect(poll(a, POLLIN, 5)).toBe(0);
      expect(poll(a, POLLIN | POLLOUT, -1)).toBe(POLLOUT);
      send(b, Buffer.from('x'), 0, 1, 0);
      expect(poll(a, POLLIN, -1)).toBe(POLLIN);
      shutdown(b, SHUT_WR);
      expect(poll(a, POLLIN | POLLRDHUP, -1)).toBe(POLLIN | POLLRDHUP);
      shutdown(a, SHUT_WR);
      expect(poll(a, 0, -1)).toBe(POLLHUP);
      expect(poll(0x7fff_ffff, POLLIN, -1)).toBe(POLLNVAL);
      expect(poll(a, POLLIN, Number.NaN)).toBe(-Errno.EINVAL);
    }));
});

describe('listening and connecting', () => {
  const families = (directory: string): [SocketAddress, domain: number][] => [
    [{ family: 'unix', path: join(directory, 'sock') }, AF_UNIX],
    [{ family: 'unix-abstract', name: randomUUID() }, AF_UNIX],
    [{ family: 'inet', host: '127.0.0.1', port: 0 }, AF_INET],
    [{ family: 'inet6', host: '::1', port: 0 }, AF_INET6],
  ];

  test('work in each family, and the ends know their names', ({ directory }) => {
    for (const [address, domain] of families(directory.path)) {
      const server = socket(domain, SOCK_STREAM);
      bind(server, address);
      listen(server, 5);
      const bound = getsockname(server);
      expect(bound).toEqual('port' in address ? { ...address, port: expect.any(Number) } : address);
      const client = socket(domain, SOCK_STREAM);
      connect(client, bound);
      const accepted = accept(server, SOCK_NONBLOCK);
      expect(getFlags(accepted) & O_NONBLOCK).toBe(O_NONBLOCK);
      expect(getpeername(client)).toEqual(bound);
      const unnamed = { family: 'unix', path: '' };
      expect(getpeername(accepted)).toEqual(domain === AF_UNIX ? unnamed : getsockname(client));
      expect(recv(accepted, Buffer.alloc(1), 0, 1, 0)).toBe(-Errno.EAGAIN);
      send(client, Buffer.from('x'), 0, 1, 0);
      expect(poll(accepted, POLLIN, -1)).toBe(POLLIN);
      expect(recv(accepted, Buffer.alloc(1), 0, 1, 0)).toBe(1);
      for (const fd of [server, client, accepted]) close(fd);
    }
  });

  test('throw the call, the error and the address', ({ directory }) => {
    const nowhere: SocketAddress = { family: 'unix', path: join(directory.path, 'none') };
    const fd = socket(AF_UNIX, SOCK_STREAM);
    expect(() => connect(fd, nowhere)).toThrow(
      expect.objectContaining({
        message: `ENOENT: no such file or directory, connect unix:${directory.path}/none`,
        address: `unix:${directory.path}/none`,
        syscall: 'connect',
      }),
    );
    bind(fd, nowhere);
    const other = socket(AF_UNIX, SOCK_STREAM);
    expect(() => bind(other, nowhere)).toThrow('EADDRINUSE: address already in use, bind unix:');
    expect(() => connect(other, nowhere)).toThrow('ECONNREFUSED: connection refused, connect unix:');
    expect(() => getpeername(fd)).toThrow('ENOTCONN');
    expect(() => getsockname(-1)).toThrow('EBADF');
    expect(() => listen(-1, 1)).toThrow('EBADF: bad file descriptor, listen');
    expect(accept(fd, 0)).toBe(-Errno.EINVAL);
    for (const each of [fd, other]) close(each);
    expect(() => socket(AF_UNIX, 99)).toThrow(expect.objectContaining({ syscall: 'socket' }));
    expect(() => socketpair(AF_INET, SOCK_STREAM)).toThrow('ENOTSUP');
  });

  test('accept on a non-blocking socket does not wait', ({ directory }) => {
    const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    bind(fd, { family: 'unix', path: join(directory.path, 'sock') });
    listen(fd, 1);
    expect(accept(fd, 0)).toBe(-Errno.EAGAIN);
    close(fd);
  });
});

test('options that are ints can be read and set', () => {
  const fd = socket(AF_INET, SOCK_DGRAM);
  expect(getsockopt(fd, SOL_SOCKET, SO_TYPE)).toBe(SOCK_DGRAM);
  expect(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR)).toBe(0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  expect(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR)).toBe(1);
  expect(getsockopt(fd, SOL_SOCKET, SO_ERROR)).toBe(0);
  expect(() => getsockopt(fd, SOL_SOCKET, 9999)).toThrow('ENOPROTOOPT: protocol not available, getsockopt');
  expect(() => setsockopt(fd, SOL_SOCKET, 9999, 1)).toThrow('ENOPROTOOPT');
  close(fd);
});

test('options that are structures can be read and set', () => {
  const fd = socket(AF_INET, SOCK_DGRAM);
  const SO_RCVTIMEO = 20; // struct timeval
  const time = new BigInt64Array([5n, 0n]);
  setsockoptBytes(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(time.buffer));
  const out = new BigInt64Array(3);
  expect(getsockoptBytes(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(out.buffer))).toBe(16);
  expect([...out]).toEqual([5n, 0n, 0n]);
  expect(() => setsockoptBytes(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(3))).toThrow('EINVAL');
  expect(() => getsockoptBytes(fd, SOL_SOCKET, 9999, new Uint8Array(16))).toThrow('ENOPROTOOPT');
  close(fd);
});

describe('sendto and recvfrom', () => {
  test('send a message to an address, and tell where one came from', () => {
    const names = ['a', 'b'].map((end) => `vm-tools-datagram-${process.pid}-${end}`);
    const ends = names.map((name) => {
      const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK);
      bind(fd, { family: 'unix-abstract', name });
      return fd;
    });
    const [a = -1, b = -1] = ends;
    const to = encodeAddress({ family: 'unix-abstract', name: String(names[1]) }, 'sendto');
    const from = Buffer.alloc(128, 1);
    const buffer = Buffer.alloc(8);
    expect(sendto(a, Buffer.from('xhello'), 1, 5, 0, to)).toBe(5);
    expect(recvfrom(b, buffer, 1, 7, 0, from)).toBe(5);
    expect(buffer.toString('latin1')).toBe('\0hello\0\0');
    const size = from.indexOf(0, 3);
    expect(decodeAddress(from.subarray(0, size), 'recvfrom')).toEqual({
      family: 'unix-abstract',
      name: names[0],
    });
    expect(from.subarray(size).every((byte) => byte === 0)).toBe(true);
    expect(recvfrom(b, buffer, 0, 8, 0, from)).toBe(-Errno.EAGAIN);
    expect(recvfrom(b, buffer, 1, 8, 0, from)).toBe(-Errno.EFAULT);
    expect(recvfrom(b, buffer, 0, 8, 0, new Uint8Array(129))).toBe(-Errno.EINVAL);
    for (const fd of ends) close(fd);
    expect(sendto(-1, buffer, 0, 1, 0, to)).toBe(-Errno.EBADF);
  });
});

test('the context id is asked of nothing but /dev/vsock', () => {
  expect(() => vsockLocalCid(-1)).toThrow('EBADF: bad file descriptor, ioctl');
  withPair((a) => expect(() => vsockLocalCid(a)).toThrow('ENOTTY'));
});

test('the kernel vouches for who is at the other end', () => {
  withPair((a) => {
    expect(peerCredentials(a)).toEqual({
      pid: process.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
    });
  });
  expect(() => peerCredentials(-1)).toThrow('EBADF');
});

test('descriptors are not inherited by children', () =>
  withPair((a, b) => {
    const { stdout } = spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
    for (const fd of [a, b]) expect(stdout).not.toMatch(new RegExp(` ${fd} -> socket`));
  }));
