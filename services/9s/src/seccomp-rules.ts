import { constants, Errno, type SeccompRule, type SystemCallName, seccompProgram } from '@vm-tools/linux';

// These rules name what is refused, and let everything else pass: Node.js, V8 and the C libraries change what they call from release
// to release, and a call refused by surprise would end a server in the middle of its work. What rules that refuse have against them - that
// they know nothing of the calls of tomorrow - is answered by HIGHEST: whatever is newer does not exist for 9s.

/** file_setattr, of Linux 6.17. */
const HIGHEST = 469;

const REFUSED = { errno: Errno.EPERM } as const;
const UNKNOWN = { errno: Errno.ENOSYS } as const;

const { CLONE_THREAD, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER } = constants;
const { CLONE_NEWPID, CLONE_NEWNET, S_IFMT, S_IFBLK, S_IFCHR } = constants;
const NAMESPACES =
  CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

/** Never needed by a file server that listens already. */
const NEVER: readonly SystemCallName[] = [
  // Other processes: making them, looking into them, being someone else
  'fork',
  'vfork',
  'rt_sigqueueinfo',
  'rt_tgsigqueueinfo',
  'ptrace',
  'process_vm_readv',
  'process_vm_writev',
  'process_madvise',
  'process_mrelease',
  'kcmp',
  'pidfd_open',
  'pidfd_getfd',
  'pidfd_send_signal',
  'personality',
  'setuid',
  'setgid',
  'setreuid',
  'setregid',
  'setresuid',
  'setresgid',
  'capset',
  // Namespaces and mounts
  'unshare',
  'setns',
  'chroot',
  'pivot_root',
  'mount',
  'umount2',
  'open_tree',
  'open_tree_attr',
  'move_mount',
  'fsopen',
  'fsconfig',
  'fsmount',
  'fspick',
  'mount_setattr',
  'swapon',
  'swapoff',
  'quotactl',
  'quotactl_fd',
  // The kernel, and its larger attack surfaces
  'init_module',
  'finit_module',
  'delete_module',
  'kexec_load',
  'kexec_file_load',
  'reboot',
  'bpf',
  'perf_event_open',
  'userfaultfd',
  'add_key',
  'request_key',
  'keyctl',
  'acct',
  'syslog',
  'vhangup',
  'settimeofday',
  'clock_settime',
  'clock_adjtime',
  'adjtimex',
  'sethostname',
  'setdomainname',
  'iopl',
  'ioperm',
  'modify_ldt',
  'fanotify_init',
  'lsm_set_self_attr',
  // A ring makes calls that no filter sees. libuv makes one at its start, hence before the process is started over.
  'io_uring_setup',
  'io_uring_register',
  // Whoever else listens on this machine or beyond: D-Bus, container engines, the network
  'socket',
  'socketpair', // of datagrams, it could send to any address
  'connect',
  'bind',
  'sendmmsg',
  'shmget',
  'shmat',
  'shmctl',
  'msgget',
  'msgsnd',
  'msgrcv',
  'msgctl',
  'semget',
  'semop',
  'semtimedop',
  'semctl',
  'mq_open',
  'mq_unlink',
  // Files by number, around every directory
  'name_to_handle_at',
  'open_by_handle_at',
];

/** How a thread becomes one of its clients' users, and itself again. */
const CHANGES_OF_USER: readonly SystemCallName[] = ['setgroups', 'setfsuid', 'setfsgid'];

/** Landlock knows no rights for these. */
const CHANGES_OF_ATTRIBUTES: readonly SystemCallName[] = [
  'chmod',
  'fchmod',
  'fchmodat',
  'fchmodat2',
  'chown',
  'lchown',
  'fchown',
  'fchownat',
  'utime',
  'utimes',
  'futimesat',
  'utimensat',
  'setxattr',
  'lsetxattr',
  'fsetxattr',
  'setxattrat',
  'removexattr',
  'lremovexattr',
  'fremovexattr',
  'removexattrat',
  'file_setattr',
  'truncate',
];

export interface SeccompNeeds {
  readonly readOnly: boolean;
  readonly deviceNodes: boolean;
  readonly actAsUser: boolean;
}

/** What 9s starts over with. It lets execve(2) pass, by which that happens, and has to be followed by {@link noExec}. */
export function seccompRules({ readOnly, deviceNodes, actAsUser }: SeccompNeeds): Uint8Array {
  const devices = deviceNodes ? [] : [S_IFCHR, S_IFBLK];
  // No rule is for the arguments of a call of the hot path: the kernel knows of the others that they pass, without running the filter.
  return filter([
    { calls: ['kill', 'tgkill'], when: { argument: 0, isNot: process.pid }, action: REFUSED },
    { calls: ['tkill'], action: REFUSED },
    { calls: ['ioctl'], when: { argument: 1, is: constants.TIOCSTI }, action: REFUSED },
    { calls: ['ioctl'], when: { argument: 1, is: constants.TIOCLINUX }, action: REFUSED },
    { calls: ['prlimit64'], when: { argument: 0, isNot: 0 }, action: REFUSED },
    // Threads, and neither processes nor namespaces. The flags of clone3 cannot be seen; C libraries know what to do without it.
    { calls: ['clone'], when: { argument: 0, mask: CLONE_THREAD, is: 0 }, action: REFUSED },
    { calls: ['clone'], when: { argument: 0, mask: NAMESPACES, isNot: 0 }, action: REFUSED },
    { calls: ['clone3'], action: UNKNOWN },
    ...devices.flatMap((kind): SeccompRule[] => [
      { calls: ['mknod'], when: { argument: 1, mask: S_IFMT, is: kind }, action: REFUSED },
      { calls: ['mknodat'], when: { argument: 2, mask: S_IFMT, is: kind }, action: REFUSED },
    ]),
    { calls: NEVER, action: REFUSED },
    ...(actAsUser ? [] : [{ calls: CHANGES_OF_USER, action: REFUSED } as const]),
    ...(readOnly ? [{ calls: CHANGES_OF_ATTRIBUTES, action: REFUSED } as const] : []),
  ]);
}

/** Adds that no other program is started any more. */
export function noExec(): Uint8Array {
  return filter([{ calls: ['execve', 'execveat'], action: REFUSED }]);
}

function filter(rules: readonly SeccompRule[]): Uint8Array {
  return seccompProgram(rules, { otherwise: 'allow', beyond: { highest: HIGHEST, action: UNKNOWN } });
}
