/** A virtio-blk disk; the guest sees them as /dev/vda, /dev/vdb, ... in this order. */
export interface VmDisk {
  readonly path: string;
  /** Default `raw`: a format is never guessed from contents that a guest can write. */
  readonly format?: 'raw' | 'qcow2';
  readonly readonly?: boolean;
  /** Keep what the guest writes in a temporary file that vanishes with the VM; `path` itself stays as it is. */
  readonly snapshot?: boolean;
  /** What the guest reads in /sys/block/vda/serial; at most 20 bytes. */
  readonly serial?: string;
}

/**
 * A virtio-serial port: /dev/virtio-ports/NAME (by udev) or /dev/vportNpM in the guest. Without `connect` or `listen` it is a
 * stream of this process, got by `vm.port(name)`.
 */
export interface VmPort {
  readonly name: string;
  /** Unix stream socket to which the VMM connects when it starts. */
  readonly connect?: string;
  /** Unix stream socket on which the VMM listens; it serves one peer at a time. */
  readonly listen?: string;
}

/** Connections of the guest to an address of the user network, each handed to a program as its stdin and stdout. */
export interface VmForward {
  /** IPv4 address within the user network, by default 10.0.2.0/24; not 10.0.2.2, .3 or .15, which are taken. */
  readonly address: string;
  readonly port: number;
  /** Program and arguments, started once a connection and without a shell. */
  readonly command: readonly string[];
}

/** User-mode network with one virtio-net card: the guest has 10.0.2.15, the host no new interface. */
export interface VmNetwork {
  /** Default true: the guest reaches nothing but `forwards`. */
  readonly restrict?: boolean;
  readonly forwards?: readonly VmForward[];
}

/**
 * A vsock device that another process or thread serves by vhost-user, such as one of `@vm-tools/vhost-user-vsock`: on a connected Unix
 * stream socket that QEMU inherits and the caller closes when the VM has been started, or on one that QEMU connects to. QEMU does not
 * connect anew when the other end goes away; on a `q35`, `replugVsock` can.
 */
export type VmVsock = { readonly fd: number } | { readonly socket: string };

/** The machine, without how it is started. */
export interface VmOptions {
  /** bzImage, or an uncompressed ELF vmlinux with a PVH entry, which starts sooner. */
  readonly kernel: string;
  readonly initrd?: string;
  /** Kernel command line; a list is joined with blanks. */
  readonly cmdline?: string | readonly string[];
  /**
   * Default `q35`: PCI devices. `microvm`: virtio-mmio devices, no PCI, one serial port; it starts sooner, but has no
   * reference clock: without KVM, tell the kernel the host's TSC frequency (`tsc_early_khz=`), or it may hang on a busy host.
   */
  readonly machine?: 'microvm' | 'q35';
  /** Default `tcg`. `kvm` fails where it is absent; `auto` takes KVM if QEMU can initialise it. */
  readonly accel?: 'tcg' | 'kvm' | 'auto';
  /** QEMU's CPU model; default `max`. */
  readonly cpu?: string;
  /** Number of CPUs; default 1. */
  readonly cpus?: number;
  /** MiB; default 512. */
  readonly memory?: number;
  /** Make guest memory shareable, as vhost-user devices need it: `true` for a memfd, a path for that file. */
  readonly sharedMemory?: boolean | string;
  readonly disks?: readonly VmDisk[];
  readonly ports?: readonly VmPort[];
  /** Default: no network card. */
  readonly network?: VmNetwork;
  /** Default: no vsock device. With one, guest memory is shareable. */
  readonly vsock?: VmVsock;
  /**
   * QEMU's seccomp filter against privilege changes, new processes and outdated calls; default true. With `network.forwards`
   * it has to allow processes and their sessions; then, as always, setuid programs give no privileges (no_new_privs).
   */
  readonly sandbox?: boolean;
  /** Default false: a reboot of the guest ends the VM, as a power-off does. */
  readonly reboot?: boolean;
  /** Start with stopped CPUs; QMP `cont` lets them run. */
  readonly paused?: boolean;
  /** Further arguments for QEMU, after ours. */
  readonly extraArgs?: readonly string[];
}

/** Where a stop gives the VM time before the next, harder step. Milliseconds; 0 leaves the step out. */
export interface StopOptions {
  /** Power button (ACPI): for guests that listen to it. Default 0. */
  readonly powerdownMs?: number;
  /** QMP `quit`: disks are flushed, the guest is not asked. Default 5000. */
  readonly quitMs?: number;
  /** SIGTERM. Default 2000. SIGKILL follows. */
  readonly termMs?: number;
}

/** How the machine is started and watched. */
export interface StartOptions {
  /** Ends the VM at once, in the middle of starting or later. */
  readonly signal?: AbortSignal;
  /** Milliseconds until QEMU answers QMP; default 30,000. */
  readonly startTimeoutMs?: number;
  /** Path or name of the QEMU binary; default `qemu-system-x86_64`. */
  readonly qemu?: string;
  /** Bytes of console output that are kept; default 1 MiB, the newest. */
  readonly consoleBytes?: number;
  /**
   * Default true: the kernel kills the VM when the thread that started it ends, however it ends (PR_SET_PDEATHSIG, by
   * setpriv of util-linux). A VM started in a worker thus ends with the worker.
   */
  readonly endWithParent?: boolean;
}
