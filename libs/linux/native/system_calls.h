// Numbers of system calls; src/system-calls.ts names the same ones. A call that the architecture lacks has -1, and one that
// is newer than the C library's headers the number that all architectures share since 424.
#pragma once

#include <stdint.h>
#include <sys/syscall.h>

namespace vm_linux {

struct SystemCall {
  const char* name;
  int64_t number;
};

// What a macro expands to, as text: digits when the header has it, its own name when not.
constexpr int64_t number_in(const char* text, int64_t without) {
  if (*text < '0' || *text > '9') return without;
  int64_t number = 0;
  for (; *text >= '0' && *text <= '9'; text++) number = number * 10 + (*text - '0');
  return *text == 0 ? number : without;
}

#define TEXT_OF(expanded) #expanded
#define EXPANDED(macro) TEXT_OF(macro)
#define NR(name) {#name, number_in(EXPANDED(__NR_##name), -1)}
#define NEW(name, number) {#name, number_in(EXPANDED(__NR_##name), number)}

inline constexpr int64_t NR_landlock_create_ruleset = 444;
inline constexpr int64_t NR_landlock_add_rule = 445;
inline constexpr int64_t NR_landlock_restrict_self = 446;

inline constexpr SystemCall system_calls[] = {
    // clang-format off
    // Processes and threads
    NR(execve), NR(execveat), NR(fork), NR(vfork), NR(clone), NEW(clone3, 435), NR(kill), NR(tkill), NR(tgkill),
    NR(rt_sigqueueinfo), NR(rt_tgsigqueueinfo), NR(prlimit64), NR(ptrace), NR(process_vm_readv),
    NR(process_vm_writev), NEW(process_madvise, 440), NEW(process_mrelease, 448), NR(kcmp),
    NEW(pidfd_open, 434), NEW(pidfd_getfd, 438), NEW(pidfd_send_signal, 424), NR(personality),
    // Users and capabilities
    NR(setuid), NR(setgid), NR(setreuid), NR(setregid), NR(setresuid), NR(setresgid), NR(setgroups), NR(setfsuid),
    NR(setfsgid), NR(capset),
    // Namespaces and mounts
    NR(unshare), NR(setns), NR(chroot), NR(pivot_root), NR(mount), NR(umount2), NEW(open_tree, 428),
    NEW(open_tree_attr, 467), NEW(move_mount, 429), NEW(fsopen, 430), NEW(fsconfig, 431), NEW(fsmount, 432),
    NEW(fspick, 433), NEW(mount_setattr, 442), NR(swapon), NR(swapoff), NR(quotactl), NEW(quotactl_fd, 443),
    // The system
    NR(init_module), NR(finit_module), NR(delete_module), NR(kexec_load), NR(kexec_file_load), NR(reboot), NR(bpf),
    NR(perf_event_open), NR(userfaultfd), NEW(io_uring_setup, 425), NEW(io_uring_enter, 426),
    NEW(io_uring_register, 427), NR(add_key), NR(request_key), NR(keyctl), NR(acct), NR(syslog), NR(vhangup),
    NR(settimeofday), NR(clock_settime), NR(clock_adjtime), NR(adjtimex), NR(sethostname), NR(setdomainname),
    NR(iopl), NR(ioperm), NR(modify_ldt), NR(fanotify_init), NEW(lsm_set_self_attr, 460),
    NEW(landlock_create_ruleset, 444), NR(seccomp),
    // Sockets and what else processes talk through
    NR(socket), NR(socketpair), NR(connect), NR(bind), NR(sendto), NR(sendmmsg), NR(ioctl), NR(shmget), NR(shmat), NR(shmctl),
    NR(msgget), NR(msgsnd), NR(msgrcv), NR(msgctl), NR(semget), NR(semop), NR(semtimedop), NR(semctl), NR(mq_open),
    NR(mq_unlink),
    // Files
    NR(name_to_handle_at), NR(open_by_handle_at), NR(mknod), NR(mknodat), NR(chmod), NR(fchmod), NR(fchmodat),
    NEW(fchmodat2, 452), NR(chown), NR(lchown), NR(fchown), NR(fchownat), NR(utime), NR(utimes), NR(futimesat),
    NR(utimensat), NR(setxattr), NR(lsetxattr), NR(fsetxattr), NEW(setxattrat, 463), NR(removexattr),
    NR(lremovexattr), NR(fremovexattr), NEW(removexattrat, 466), NEW(file_setattr, 469), NR(truncate),
    // clang-format on
};

#undef NEW
#undef NR
#undef EXPANDED
#undef TEXT_OF

}  // namespace vm_linux
