/** Debian packages by what they are for. Nothing of them is linked into what we publish, so any release's version will do. */
export const debian = {
  /** Compiles the addons and the guest's own programs. */
  native: ['gcc', 'g++', 'libc6-dev', 'make', 'python3'],
  /** Builds and runs the test guest; with the package lists of apt, by which it finds a kernel. */
  guest: ['qemu-system-x86', 'busybox-static', 'e2fsprogs', 'xz-utils'],
  /** What tests compare us with, and what writes code that they compare with ours. */
  judges: [
    'gdb',
    'lldb',
    'llvm',
    'protobuf-compiler',
    'python3-grpcio',
    'python3-protobuf',
    'systemd-journal-remote',
    // Programs that crash, of other processors and languages, and what runs and reads them.
    'qemu-user',
    'gdb-multiarch',
    'gcc-i686-linux-gnu',
    'libc6-dev-i386-cross',
    'gcc-aarch64-linux-gnu',
    'libc6-dev-arm64-cross',
    'gcc-arm-linux-gnueabihf',
    'libc6-dev-armhf-cross',
    'gcc-riscv64-linux-gnu',
    'libc6-dev-riscv64-cross',
    'rustc',
  ],
  /** What benchmarks compare with, and what pins processes to a CPU. */
  bench: ['diod', 'util-linux'],
  /** Only for `*.nightly.test.ts`. */
  nightly: [
    'g++-aarch64-linux-gnu',
    'libc6-arm64-cross',
    'libstdc++6-arm64-cross',
    'libatomic1-arm64-cross',
    'chromium',
    // Build the kernel of guest/kernel; and the firmware by which it boots.
    'flex',
    'bison',
    'bc',
    'libelf-dev',
    'ovmf',
  ],
};
