import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { close } from '@vm-tools/linux';
import { VsockDevice } from '@vm-tools/vhost-user-vsock';
import { type StartOptions, startVm, type VmOptions } from '@vm-tools/vmm';
import { AGENT_PORT } from './agent-client.ts';
import { type BuiltKernel, builtKernel } from './built-kernel.ts';
import { firmwareArguments } from './firmware.ts';
import { Guest } from './guest.ts';
import { filesArchive, type GuestFiles, initramfs, repositoryNode, rootDisk } from './image.ts';
import { type GuestKernel, guestKernel } from './kernel.ts';
import { builtinParameters } from './module-index.ts';
import { nativeProgram } from './native.ts';
import { shareAddresses } from './p9-mount.ts';
import { runProgram, type ToolOptions } from './tool.ts';

/** What a guest has in it. Each set is built once and kept in `.cache/guest`. */
export interface GuestContents {
  /** Debian packages; their dependencies come along, their installation scripts are not run. */
  readonly packages?: readonly string[];
  /** The repository's Node.js as /usr/local/bin/node, or another binary of the host. */
  readonly node?: boolean | string;
  /** Kernel modules to load, with parameters: `'vsock_loopback'`, `'ramoops mem_size=0x400000'`. */
  readonly modules?: readonly string[];
  /** Of QEMU; default `microvm`. */
  readonly machine?: 'microvm' | 'q35';
  /** Debian's, which is the default, or that of guest/kernel, which keeps more in persistent RAM and takes minutes to build. */
  readonly kernel?: 'debian' | 'built';
}

export interface GuestOptions extends GuestContents {
  /** Put into the guest at this boot, by guest path. Contents given as bytes are executable. */
  readonly files?: GuestFiles;
  /** The guest's address on its vsock; default 3. Guests of one number do not meet. */
  readonly cid?: number;
  /** 9P servers of the host, by a name for `mount9p`: paths of their Unix sockets. They may come and go. */
  readonly p9?: Readonly<Record<string, string>>;
  /** MiB; default 512, with Node.js 1024. */
  readonly memory?: number;
  readonly cpus?: number;
  /** Added to the kernel's command line. */
  readonly cmdline?: string;
  /** Further options of the VM; disks come after the root disk. With a `vsock` of its own there are no `p9` and no `guest.vsock`. */
  readonly vm?: Omit<Partial<VmOptions & StartOptions>, 'kernel' | 'initrd' | 'cmdline' | 'signal'>;
  /** Boots by EFI, on a q35, with its variables in this file, which is made when it is not there. The built kernel alone can. */
  readonly efiVariables?: string;
  /** Ends the guest, whenever it fires. */
  readonly signal?: AbortSignal;
  /** Milliseconds that the boot may take, without building; default 120,000. */
  readonly timeoutMs?: number;
}

/** What a guest boots from. */
export interface PreparedGuest {
  readonly kernel: string;
  /** The same for firmware; undefined for Debian's. */
  readonly bzImage: string | undefined;
  /** Words that have to be on the kernel's command line. */
  readonly cmdline: readonly string[];
  readonly initrd: string;
  /** Undefined when the initramfs is all there is. */
  readonly rootDisk: string | undefined;
}

const modulesFor = {
  microvm: ['virtio_mmio'],
  q35: ['virtio_pci'],
  any: ['virtio_console', 'vmw_vsock_virtio_transport', '9p', '9pnet_fd'],
  disk: ['virtio_blk', 'ext4'],
};

/** Each of these was measured to shorten the boot on an emulated CPU, or keeps the console quiet until then. */
const cmdline = [
  'console=ttyS0 quiet panic=-1 reboot=t',
  'mitigations=off cryptomgr.notests random.trust_cpu=on nokaslr tsc=reliable',
  'apparmor=0 audit=0',
];

/** Downloads and builds what a guest with these contents needs and has not got. */
export async function prepareGuest(
  { packages = [], node = false, modules = [], machine = 'microvm', kernel: which }: GuestContents = {},
  options: ToolOptions = {},
): Promise<PreparedGuest> {
  const nodeBinary = node === true ? repositoryNode() : node || undefined;
  const hasDisk = packages.length > 0 || nodeBinary !== undefined;
  const kernel: GuestKernel & Partial<BuiltKernel> =
    which === 'built' ? await builtKernel(options) : await guestKernel(options);
  const loaded = [...modulesFor[machine], ...modulesFor.any, ...(hasDisk ? modulesFor.disk : []), ...modules];
  return {
    kernel: kernel.vmlinux,
    bzImage: kernel.bzImage,
    cmdline: builtinParameters(modules, kernel.modules),
    initrd: await initramfs(kernel, loaded, options),
    rootDisk: hasDisk ? await rootDisk({ packages, node: nodeBinary }, options) : undefined,
  };
}

/**
 * Boots a guest and resolves when programs can run in it. Without network but for its vsock, without root, without KVM.
 * Rejects with ToolError (what is absent and how to install it), GuestError or the signal's reason; nothing is left then.
 */
export async function bootGuest(options: GuestOptions = {}): Promise<Guest> {
  const { files = {}, p9 = {}, cid = 3, signal, timeoutMs = 120_000, vm: more = {}, efiVariables } = options;
  const prepared = await prepareGuest(options, { signal });
  const root = prepared.rootDisk === undefined ? [] : [{ path: prepared.rootDisk, snapshot: true }];
  const firmware = efiVariables === undefined ? [] : await firmwareArguments(efiVariables);
  const kernel = efiVariables === undefined ? prepared.kernel : prepared.bzImage;
  if (kernel === undefined)
    throw new RangeError("efiVariables: it is with kernel 'built' that guests boot by EFI");
  const words = [
    ...cmdline,
    `tsc_early_khz=${await tscFrequency({ signal })}`,
    ...(root.length > 0 ? ['vmtools.root=/dev/vda'] : []),
    ...prepared.cmdline,
    options.cmdline ?? '',
  ];
  await using initrd = await withFiles(prepared.initrd, files);
  // A thread of its own: a test that is busy, or waits for a program, must not hold up the guest.
  const device = more.vsock === undefined ? new VsockDevice({ guestCid: cid, thread: true }) : undefined;
  try {
    const shares = device ? await shareAddresses(p9, device) : new Map<string, never>();
    const vsock = await device?.plug();
    const vm = await startVm({
      ...more,
      ...(vsock === undefined ? {} : { vsock: { fd: vsock } }),
      kernel,
      initrd: initrd.path,
      cmdline: words.join(' ').trim(),
      machine: options.machine ?? 'microvm',
      memory: options.memory ?? (options.node ? 1024 : 512),
      cpus: options.cpus ?? 1,
      disks: [...root, ...(more.disks ?? [])],
      ports: [{ name: AGENT_PORT }, ...(more.ports ?? [])],
      extraArgs: [...firmware, ...(more.extraArgs ?? [])],
      ...(signal ? { signal } : {}),
    }).finally(() => {
      if (vsock !== undefined) close(vsock);
    });
    try {
      return await Guest.connect(vm, { device, shares, timeoutMs });
    } catch (error) {
      await vm.kill();
      throw error;
    }
  } catch (error) {
    await device?.close();
    signal?.throwIfAborted();
    throw error;
  }
}

/**
 * kHz of the host's time stamp counter, which is the guest's too. With emulated timers a guest on a busy host measures it
 * wrong, and its clocks run wrong, or not at all and never boots (a microvm has no other clock).
 */
async function tscFrequency(options: ToolOptions): Promise<string> {
  return (await runProgram(await nativeProgram('tsc-khz', options), [], options)).toString().trim();
}

/**
 * The initramfs with the files of one boot joined to it: a file without a name, which QEMU reads through our descriptor, so
 * that nothing is left of it even when this program is killed.
 */
async function withFiles(initrd: string, files: GuestFiles): Promise<AsyncDisposable & { path: string }> {
  if (Object.keys(files).length === 0) return { path: initrd, [Symbol.asyncDispose]: async () => undefined };
  const archive = await filesArchive(files);
  const folder = await mkdtemp(join(tmpdir(), 'vm-tools-guest-'));
  const file = await open(join(folder, 'initrd'), 'wx').finally(() => rm(folder, { recursive: true }));
  try {
    await file.writeFile(await readFile(initrd));
    await file.writeFile(archive);
    return { path: `/proc/${process.pid}/fd/${file.fd}`, [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}
