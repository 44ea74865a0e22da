// Calls every family of calls many times, right and wrong, and prints what each left behind: bytes of resident memory
// and descriptors. Runs with --expose-gc; the count of calls of a family is its argument.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import * as linux from '@vm-tools/linux';

const { constants: c } = linux;
const calls = Number(process.argv[2]);
const directory = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
const dir = linux.open(directory, c.O_PATH | c.O_DIRECTORY);
const fd = linux.open(join(directory, 'file'), c.O_RDWR | c.O_CREAT, 0o600);
const [a, b] = linux.socketpair(c.AF_UNIX, c.SOCK_STREAM);

const name = Buffer.from('name');
const other = Buffer.from('other');
const stat = new Uint32Array(linux.STAT_WORDS);
const buffer = new Uint8Array(4096);
const lock = new BigInt64Array(4);
const ranges = Uint32Array.of(0, 10, 20, 10);
const path = `/proc/self/fd/${fd}`;
const one = new Uint8Array(BigUint64Array.of(1n).buffer);
const events = new Uint32Array(8);
const info = new Int32Array(8 * linux.MESSAGE_WORDS);
const descriptors = new Int32Array(4);
const own = linux.open('/proc/self/fd', c.O_PATH);
const groups = Uint32Array.from(process.getgroups?.() ?? []);
const attribute = Buffer.from('user.x');

/** Each makes at least ten calls. */
const families: Record<string, () => unknown> = {
  descriptors: () => {
    linux.close(linux.openat(dir, name, 0, 4, c.O_RDONLY, 0));
    linux.close(linux.openatStat(dir, name, 0, 4, c.O_RDONLY, stat));
    linux.close(linux.reopen(dir, c.O_RDONLY));
    linux.close(linux.reopenIn(own, dir, c.O_RDONLY));
    linux.close(linux.dup(linux.getFlags(fd) < 0 ? -1 : fd));
    const [from, to] = linux.pipe();
    linux.setPipeSize(from, 4096);
    linux.splice(from, to, 1, c.SPLICE_F_NONBLOCK);
    for (const end of [from, to]) linux.close(end);
    linux.setNonblocking(a, true);
    linux.umask(linux.umask(0o22));
  },
  files: () => {
    linux.pwrite(fd, buffer, 0, 100, 0);
    linux.pread(fd, buffer, 0, 4096, 0);
    linux.pread(fd, buffer, 0, 4097, 0);
    linux.lseek(fd, 5n, c.SEEK_SET);
    linux.lseek(fd, 2n ** 70n, c.SEEK_SET);
    linux.ftruncate(fd, 50);
    linux.truncate(path, 10);
    linux.fchmod(fd, 0o600);
    linux.chmod(path, 0o600);
    linux.chmod('/no/such', 0o600);
    linux.fdatasync(-1);
    linux.fsync(-1);
  },
  metadata: () => {
    for (let i = 0; i < 2; i++) {
      linux.fstat(fd, stat);
      linux.fstat(-1, stat);
      linux.fstatat(dir, name, 0, 4, 0, stat);
      linux.statx(dir, name, 0, 0, c.AT_EMPTY_PATH, stat);
      linux.fstatfs(fd, stat);
    }
    linux.fchownat(dir, name, 0, 0, -1, -1, c.AT_EMPTY_PATH);
    linux.utimensat(dir, name, 0, 4, 0, 0, 0, 0, 0);
  },
  names: () => {
    linux.mkdirat(dir, name, 0, 4, 0o700);
    linux.unlinkat(dir, name, 0, 4, c.AT_REMOVEDIR);
    linux.mknodat(dir, name, 0, 4, c.S_IFREG, 0, 0);
    linux.linkat(dir, name, 0, 4, dir, other, 0, 5, 0);
    linux.renameat2(dir, name, 0, 4, dir, other, 0, 5, 0);
    linux.unlinkat(dir, name, 0, 4, 0);
    linux.unlinkat(dir, other, 0, 5, 0);
    linux.symlinkat(name, 0, 4, dir, other, 0, 5);
    linux.readlinkat(dir, other, 0, 5, buffer, 0, 100);
    linux.unlinkat(dir, other, 0, 5, 0);
    linux.getdents64(fd, buffer, 0, 4096);
  },
  attributes: () => {
    linux.setxattr(path, attribute, 0, 6, buffer, 0, 100, 0);
    for (let i = 0; i < 3; i++) {
      linux.getxattr(path, attribute, 0, 6, buffer);
      linux.listxattr(path, buffer);
    }
    linux.removexattr(path, attribute, 0, 6);
    linux.removexattr(path, attribute, 0, 6);
    linux.getxattr(path, attribute, 0, 7, buffer);
  },
  locks: () => {
    for (let i = 0; i < 4; i++) {
      linux.ofdSetLock(fd, c.F_WRLCK, 0n, 10);
      linux.ofdGetLock(fd, c.F_RDLCK, 0, 0n, lock);
      linux.ofdSetLock(fd, c.F_UNLCK, 0, 0);
    }
  },
  identity: () => {
    for (let i = 0; i < 4; i++) {
      linux.setfsuid(process.getuid?.() ?? 0);
      linux.setfsgid(process.getgid?.() ?? 0);
      linux.setThreadGroups(groups);
      linux.setThreadGroups(stat.subarray(0, 1));
    }
    linux.setThreadGroups(groups);
  },
  sockets: () => {
    linux.send(a, buffer, 0, 10, 0);
    linux.send(b, buffer, 0, 1, 0);
    linux.exchange(a, buffer, 0, 10, buffer, 0, 1);
    linux.sendv(a, buffer, ranges, 2, 0);
    linux.poll(b, c.POLLIN, 0);
    linux.recv(b, buffer, 0, 4096, 0);
    linux.recv(b, buffer, 0, 4096, c.MSG_DONTWAIT);
    linux.getsockname(a);
    linux.getpeername(a);
    linux.peerCredentials(a);
    linux.setsockopt(a, c.SOL_SOCKET, c.SO_PASSCRED, linux.getsockopt(a, c.SOL_SOCKET, c.SO_PASSCRED));
    linux.accept(a, 0);
    for (const end of linux.socketpair(c.AF_UNIX, c.SOCK_DGRAM)) linux.close(end);
  },
  custody: () => {
    for (let i = 0; i < 3; i++) {
      for (const end of linux.keptSocketpair(c.AF_UNIX, c.SOCK_STREAM)) linux.close(end);
      linux.close(linux.letGo(linux.keptSocket(c.AF_UNIX, c.SOCK_STREAM)));
      linux.close(linux.keptOpen(directory, c.O_RDONLY));
      linux.keptAccept(a, 0);
    }
  },
  descriptorPassing: () => {
    const [from, to] = linux.socketpair(c.AF_UNIX, c.SOCK_STREAM);
    for (let i = 0; i < 3; i++) {
      linux.sendmsg(from, buffer, 0, 10, 0, Int32Array.of(fd, dir), 2);
      linux.recvmsg(to, buffer, 0, 10, 0, descriptors.subarray(0, i + 1));
      for (const each of descriptors) if (each >= 0) linux.close(each);
      linux.sendv(from, buffer, Float64Array.of(0, 10), 1, 0);
      linux.recvv(to, buffer, ranges, 1, 0);
    }
    linux.close(from);
    linux.close(to);
  },
  datagrams: () => {
    const [from, to] = linux.socketpair(c.AF_UNIX, c.SOCK_DGRAM);
    linux.setsockopt(to, c.SOL_SOCKET, c.SO_PASSCRED, 1);
    for (let i = 0; i < 3; i++) linux.sendmsg(from, buffer, 0, 10, 0, Int32Array.of(fd, dir), 2);
    linux.recvmmsg(to, buffer, 5, 8, c.MSG_DONTWAIT | c.MSG_TRUNC, info);
    linux.close(from);
    linux.close(to);
  },
  readiness: () => {
    const epoll = linux.epollCreate();
    const event = linux.eventfd(0);
    linux.epollControl(epoll, c.EPOLL_CTL_ADD, event, c.EPOLLIN, 1);
    for (let i = 0; i < 2; i++) {
      linux.write(event, one, 0, 8);
      linux.epollWait(epoll, events, 0);
      linux.read(event, buffer, 0, 8);
    }
    linux.close(event);
    linux.close(epoll);
  },
  memory: () => {
    for (let i = 0; i < 3; i++) {
      const memory = linux.reserve(1 << 16);
      linux.mmap(memory, 0, 4096, { fd, protection: c.PROT_READ });
      linux.mmap(memory, 0, 4096, { fd: -1 });
      linux.munmap(memory);
    }
  },
  connections: () => {
    const server = linux.socket(c.AF_UNIX, c.SOCK_STREAM);
    linux.bind(server, { family: 'unix-abstract', name: `vm-tools-${process.pid}` });
    linux.listen(server, 1);
    const client = linux.socket(c.AF_UNIX, c.SOCK_STREAM);
    linux.connect(client, linux.getsockname(server));
    linux.close(linux.accept(server, 0));
    linux.close(client);
    linux.close(server);
  },
  errors: () => {
    for (let i = 0; i < 10; i++) {
      try {
        linux.open('/no/such', c.O_RDONLY);
        throw new Error('opened what is not there');
      } catch (error) {
        if (!(error instanceof linux.SystemError)) throw error;
      }
    }
  },
  watches: async () => {
    const seen = Promise.withResolvers<void>();
    for (let i = 0; i < 4; i++) linux.watch(a, { readable: true }, () => undefined).close();
    const watch = linux.watch(a, { writable: true }, () => seen.resolve());
    watch.unref().ref().update({ readable: true, writable: true });
    await seen.promise;
    watch.close();
  },
};

function residentBytes(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  return process.memoryUsage.rss();
}

async function repeat(family: () => unknown, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const result = family();
    if (result instanceof Promise) await result;
    if (i % 100 === 99) await turn();
  }
}

/** How much one more window of calls adds: a leak adds in every window, the settling of the heap only in some. */
async function growth(body: () => unknown): Promise<{ bytes: number; descriptors: number }> {
  await repeat(body, calls / 10);
  let [bytes, descriptors] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let window = 0; window < 8 && (bytes > 2 ** 20 || descriptors > 0); window++) {
    const before = { bytes: residentBytes(), descriptors: readdirSync('/proc/self/fd').length };
    await repeat(body, calls / 10);
    bytes = Math.min(bytes, residentBytes() - before.bytes);
    descriptors = Math.min(descriptors, readdirSync('/proc/self/fd').length - before.descriptors);
  }
  return { bytes, descriptors };
}

for (const [family, body] of Object.entries(families)) {
  process.stdout.write(`${JSON.stringify({ family, ...(await growth(body)) })}\n`);
}
for (const each of [a, b, fd, dir]) linux.close(each);
rmSync(directory, { recursive: true });
