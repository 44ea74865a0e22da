// One pass over every family of calls, checked against what Node itself says. Needs nothing but Node, so that it also
// runs where the test runner does not: emulated, or in a container. Prints the architecture and the calls made.
import assert from 'node:assert/strict';
import {
  constants as fsConstants,
  fstatSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as linux from '@vm-tools/linux';

const { constants: c, Errno, Stat, StatFs } = linux;
const path = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
const n = (text: string): [Uint8Array, number, number] => [Buffer.from(text), 0, Buffer.byteLength(text)];

for (const [name, value] of Object.entries(fsConstants)) {
  if (/^(O|S)_/.test(name) && name in c) assert.equal(c[name as linux.ConstantName], value, name);
}
assert(Object.values(c).some((value) => value !== 0));

const dir = linux.open(path, c.O_PATH | c.O_DIRECTORY);
assert.throws(() => linux.open(join(path, 'none'), c.O_RDONLY), { code: 'ENOENT', syscall: 'open' });
const fd = linux.openat(dir, ...n('file'), c.O_RDWR | c.O_CREAT | c.O_NOFOLLOW, 0o640);
assert.equal(linux.pwrite(fd, Buffer.from('hello, world'), 0, 12, 2 ** 32), 12);
const buffer = Buffer.alloc(4096);
assert.equal(linux.pread(fd, buffer, 0, 5, 2 ** 32), 5);
assert.equal(buffer.toString('latin1', 0, 5), 'hello');
assert.equal(linux.lseek(fd, 2n ** 32n, c.SEEK_SET), 0);
assert.equal(linux.symlinkat(...n('file'), dir, ...n('link')), 0);
assert.equal(linux.openat(dir, ...n('link'), c.O_RDONLY | c.O_NOFOLLOW, 0), -Errno.ELOOP);
assert.equal(linux.openat(dir, ...n('file'), c.O_RDONLY | c.O_DIRECTORY, 0), -Errno.ENOTDIR);
assert.equal(linux.readlinkat(dir, ...n('link'), buffer, 0, 100), 4);

const words = new Uint32Array(linux.STAT_WORDS);
const field = (index: number) => BigInt(words[index] ?? 0) + (BigInt(words[index + 1] ?? 0) << 32n);
const sameAsNode = () => {
  const stats = fstatSync(fd, { bigint: true });
  for (const name of [
    'dev',
    'ino',
    'mode',
    'nlink',
    'uid',
    'gid',
    'rdev',
    'size',
    'blksize',
    'blocks',
  ] as const) {
    assert.equal(field(Stat[name]), stats[name], name);
  }
  assert.equal(field(Stat.mtimeSec) * 1_000_000_000n + field(Stat.mtimeNsec), stats.mtimeNs);
};
assert.equal(linux.utimensat(dir, ...n('file'), 1, 2, 4_000_000_000, 999_999_999, 0), 0);
for (const call of [linux.fstatat, linux.statx]) {
  words.fill(0);
  assert.equal(call(dir, ...n('file'), c.AT_SYMLINK_NOFOLLOW, words), 0);
  sameAsNode();
}
words.fill(0);
assert.equal(linux.fstat(fd, words), 0);
sameAsNode();
assert.equal(linux.fstatfs(fd, words), 0);
assert.equal(field(StatFs.type), statfsSync(path, { bigint: true }).type);
assert.equal(field(StatFs.blocks), statfsSync(path, { bigint: true }).blocks);

assert.equal(linux.mkdirat(dir, ...n('sub'), 0o700), 0);
assert.equal(linux.mknodat(dir, ...n('fifo'), c.S_IFIFO | 0o600, 0, 0), 0);
assert(lstatSync(join(path, 'fifo')).isFIFO());
assert.equal(linux.renameat2(dir, ...n('fifo'), dir, ...n('sub'), c.RENAME_NOREPLACE), -Errno.EEXIST);
assert.equal(linux.linkat(dir, ...n('file'), dir, ...n('hard'), 0), 0);
const listing = linux.reopen(dir, c.O_RDONLY | c.O_DIRECTORY);
const filled = linux.getdents64(listing, buffer, 0, buffer.length);
const names: string[] = [];
for (let at = 0; at < filled; at += buffer.readUInt16LE(at + 16)) {
  names.push(buffer.toString('latin1', at + 19, buffer.indexOf(0, at + 19)));
}
assert.deepEqual(names.sort(), ['.', '..', 'fifo', 'file', 'hard', 'link', 'sub']);
assert.equal(linux.unlinkat(dir, ...n('sub'), c.AT_REMOVEDIR), 0);
assert.equal(linux.fchownat(dir, ...n('file'), -1, 0xffff_ffff, 0), 0);
assert.equal(linux.getxattr(`/proc/self/fd/${fd}`, ...n('user.none'), buffer), -Errno.ENODATA);

const again = linux.openat(dir, ...n('file'), c.O_RDWR, 0);
assert.equal(linux.ofdSetLock(fd, c.F_WRLCK, 0, 0), 0);
assert.equal(linux.ofdSetLock(again, c.F_RDLCK, 0n, 1n), -Errno.EAGAIN);
const lock = new BigInt64Array(4);
assert.equal(linux.ofdGetLock(again, c.F_RDLCK, 0, 0, lock), 0);
assert.deepEqual([...lock], [BigInt(c.F_WRLCK), 0n, 0n, -1n]);

const server = linux.socket(c.AF_INET, c.SOCK_STREAM);
linux.bind(server, { family: 'inet', host: '127.0.0.1', port: 0 });
linux.listen(server, 1);
const client = linux.socket(c.AF_INET, c.SOCK_STREAM);
linux.connect(client, linux.getsockname(server));
const accepted = linux.accept(server, c.SOCK_NONBLOCK);
assert.equal(linux.recv(accepted, buffer, 0, 10, 0), -Errno.EAGAIN);
assert.equal(linux.sendv(client, Buffer.from('world, hello'), Uint32Array.of(7, 5, 5, 2, 0, 5), 3, 0), 12);
assert.equal(linux.poll(accepted, c.POLLIN, -1), c.POLLIN);
assert.equal(linux.recv(accepted, buffer, 0, 100, 0), 12);
assert.equal(buffer.toString('latin1', 0, 12), 'hello, world');
const [a, b] = linux.socketpair(c.AF_UNIX, c.SOCK_STREAM);
assert.deepEqual(linux.peerCredentials(a), {
  pid: process.pid,
  uid: process.getuid?.(),
  gid: process.getgid?.(),
});

const seen = await new Promise((resolve) => {
  const watch = linux.watch(a, { readable: true }, (events) => {
    watch.close();
    resolve(events);
  });
  linux.shutdown(b, c.SHUT_WR);
});
assert.deepEqual(seen, { readable: true, writable: false, hangup: true });

const open = [a, b, server, client, accepted, again, listing, fd, dir];
for (const each of open) assert.equal(linux.close(each), 0);
assert.throws(() => readFileSync(`/proc/self/fd/${fd}`));
rmSync(path, { recursive: true });
process.stdout.write(`${process.arch} passed\n`);
