import { addon } from './addon.ts';

const names = [
  // open(2)
  'O_RDONLY',
  'O_WRONLY',
  'O_RDWR',
  'O_ACCMODE',
  'O_CREAT',
  'O_EXCL',
  'O_NOCTTY',
  'O_TRUNC',
  'O_APPEND',
  'O_NONBLOCK',
  'O_DSYNC',
  'O_SYNC',
  'O_DIRECT',
  'O_NOFOLLOW',
  'O_DIRECTORY',
  'O_NOATIME',
  'O_CLOEXEC',
  'O_PATH',
  'O_TMPFILE',
  // the *at calls
  'AT_FDCWD',
  'AT_SYMLINK_NOFOLLOW',
  'AT_SYMLINK_FOLLOW',
  'AT_REMOVEDIR',
  'AT_EMPTY_PATH',
  'AT_NO_AUTOMOUNT',
  'AT_STATX_SYNC_AS_STAT',
  'AT_STATX_FORCE_SYNC',
  'AT_STATX_DONT_SYNC',
  // inode(7): file type and mode bits
  'S_IFMT',
  'S_IFSOCK',
  'S_IFLNK',
  'S_IFREG',
  'S_IFBLK',
  'S_IFDIR',
  'S_IFCHR',
  'S_IFIFO',
  'S_ISUID',
  'S_ISGID',
  'S_ISVTX',
  // statx(2): bits of the mask word
  'STATX_TYPE',
  'STATX_MODE',
  'STATX_NLINK',
  'STATX_UID',
  'STATX_GID',
  'STATX_ATIME',
  'STATX_MTIME',
  'STATX_CTIME',
  'STATX_INO',
  'STATX_SIZE',
  'STATX_BLOCKS',
  'STATX_BASIC_STATS',
  'STATX_BTIME',
  'STATX_MNT_ID',
  // fcntl(2): kinds of lock
  'F_RDLCK',
  'F_WRLCK',
  'F_UNLCK',
  // lseek(2)
  'SEEK_SET',
  'SEEK_CUR',
  'SEEK_END',
  'SEEK_DATA',
  'SEEK_HOLE',
  // renameat2(2)
  'RENAME_NOREPLACE',
  'RENAME_EXCHANGE',
  'RENAME_WHITEOUT',
  // setxattr(2)
  'XATTR_CREATE',
  'XATTR_REPLACE',
  // utimensat(2): instead of nanoseconds
  'UTIME_NOW',
  'UTIME_OMIT',
  // socket(2)
  'AF_UNSPEC',
  'AF_UNIX',
  'AF_INET',
  'AF_INET6',
  'AF_VSOCK',
  'SOCK_STREAM',
  'SOCK_DGRAM',
  'SOCK_SEQPACKET',
  'SOCK_NONBLOCK',
  'SOCK_CLOEXEC',
  // recv(2), send(2)
  'MSG_DONTWAIT',
  'MSG_PEEK',
  'MSG_WAITALL',
  'MSG_TRUNC',
  'MSG_CTRUNC',
  'MSG_WAITFORONE',
  'MSG_MORE',
  'MSG_NOSIGNAL',
  // shutdown(2)
  'SHUT_RD',
  'SHUT_WR',
  'SHUT_RDWR',
  // socket(7), tcp(7), ipv6(7): options
  'SOL_SOCKET',
  'SO_ERROR',
  'SO_TYPE',
  'SO_DOMAIN',
  'SO_PROTOCOL',
  'SO_ACCEPTCONN',
  'SO_RCVBUF',
  'SO_SNDBUF',
  'SO_REUSEADDR',
  'SO_REUSEPORT',
  'SO_KEEPALIVE',
  'SO_PASSCRED',
  'SO_PEERCRED',
  'IPPROTO_TCP',
  'TCP_NODELAY',
  'IPPROTO_IPV6',
  'IPV6_V6ONLY',
  // poll(2)
  'POLLIN',
  'POLLPRI',
  'POLLOUT',
  'POLLRDHUP',
  'POLLERR',
  'POLLHUP',
  'POLLNVAL',
  // epoll(7)
  'EPOLL_CTL_ADD',
  'EPOLL_CTL_MOD',
  'EPOLL_CTL_DEL',
  'EPOLLIN',
  'EPOLLOUT',
  'EPOLLRDHUP',
  'EPOLLERR',
  'EPOLLHUP',
  'EPOLLET',
  // eventfd(2)
  'EFD_NONBLOCK',
  'EFD_SEMAPHORE',
  // splice(2)
  'SPLICE_F_MOVE',
  'SPLICE_F_NONBLOCK',
  'SPLICE_F_MORE',
  // mmap(2)
  'PROT_READ',
  'PROT_WRITE',
  // seccomp(2): what a filter sees as the architecture; 0 where none is known
  'NATIVE_AUDIT_ARCH',
  // clone(2)
  'CLONE_THREAD',
  'CLONE_NEWNS',
  'CLONE_NEWCGROUP',
  'CLONE_NEWUTS',
  'CLONE_NEWIPC',
  'CLONE_NEWUSER',
  'CLONE_NEWPID',
  'CLONE_NEWNET',
  // ioctl_tty(2)
  'TIOCSTI',
  'TIOCLINUX',
] as const;

/** The name of a constant of the C headers that {@link constants} holds. */
export type ConstantName = (typeof names)[number];

/**
 * Numbers of the C headers, taken from them when the addon was compiled: some (`O_DIRECTORY`, `O_NOFOLLOW`,
 * `O_DIRECT`...) differ between architectures. Where the addon cannot load every one is 0, so that a module
 * that combines flags at its top level still loads; the calls say what is wrong.
 */
export const constants: Readonly<Record<ConstantName, number>> = Object.freeze(
  Object.fromEntries(names.map((name) => [name, addon.constants[name] ?? 0])) as Record<ConstantName, number>,
);
