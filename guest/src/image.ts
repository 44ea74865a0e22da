import { constants } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { cached } from './cache.ts';
import { type CpioEntry, cpio } from './cpio.ts';
import { completeRoot, unpackPackages, withDependencies } from './debian.ts';
import type { GuestKernel } from './kernel.ts';
import { moduleName, resolveModules } from './module-index.ts';
import { nativeProgram } from './native.ts';
import { runTool, type Tool, ToolError, type ToolOptions, toolPath } from './tool.ts';

/** Raised when an image built from the same inputs would come out otherwise. */
const FORMAT = '2';
/** What a guest may write to its root disk; the image is sparse. */
const ROOT_SIZE = '4G';

const accounts = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  'etc/group': 'root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n',
  'etc/hosts': '127.0.0.1 localhost guest\n::1 localhost\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
};

/** A host file or folder by its path, or the contents of a file. By guest path, absolute. */
export type GuestFiles = Readonly<Record<string, string | Uint8Array>>;

/** The initramfs: our agent as first process, busybox, and modules with how they are to be loaded. */
export async function initramfs(
  kernel: GuestKernel,
  modules: readonly string[],
  options: ToolOptions = {},
): Promise<string> {
  const agent = await nativeProgram('agent', options);
  const busybox = await readBusybox();
  // "name parameters", as in modprobe's command line: the agent loads them in this order.
  const parameters = new Map(
    modules.map((line) => {
      const [name = '', ...values] = line.trim().split(/\s+/);
      return [moduleName(name), values.join(' ')];
    }),
  );
  const resolved = resolveModules([...parameters.keys()], kernel.modules);
  const list = resolved.map(({ path }) => {
    const name = moduleName(path);
    return `/lib/modules/${name}.ko ${parameters.get(name) ?? ''}`.trimEnd();
  });
  const inputs = [FORMAT, agent, kernel.modulesFolder, list.join('\n'), busybox];
  const folder = await cached('initramfs', inputs, async (partial) => {
    const entries: CpioEntry[] = [
      { type: 'file', path: 'init', data: await readFile(agent), mode: 0o755 },
      { type: 'character-device', path: 'dev/console', major: 5, minor: 1 },
      { type: 'file', path: 'bin/busybox', data: busybox, mode: 0o755 },
      ...(await applets(options)).map((path) => ({ type: 'link' as const, path, target: '/bin/busybox' })),
      ...Object.entries(accounts).map(([path, text]) => ({
        type: 'file' as const,
        path,
        data: Buffer.from(text),
      })),
      ...['mnt', 'root', 'tmp', 'var/tmp'].map((path) => ({ type: 'folder' as const, path })),
      { type: 'file', path: 'etc/modules.load', data: Buffer.from(`${list.join('\n')}\n`) },
    ];
    for (const { path } of resolved) {
      const data = await readFile(join(kernel.modulesFolder, path));
      entries.push({ type: 'file', path: `lib/modules/${moduleName(path)}.ko`, data });
    }
    await writeFile(join(partial, 'initramfs.cpio'), cpio(entries));
  });
  return join(folder, 'initramfs.cpio');
}

/** What goes onto a root disk. */
export interface RootContents {
  readonly packages: readonly string[];
  /** A Node.js binary of the host. */
  readonly node: string | undefined;
}

/** An ext4 image with packages, Node.js and busybox, to be used as root in snapshot mode. */
export async function rootDisk({ packages, node }: RootContents, options: ToolOptions = {}): Promise<string> {
  const identity =
    node === undefined ? '' : await stat(node).then((file) => `${node} ${file.size} ${file.mtimeMs}`);
  const inputs = [FORMAT, [...packages].sort().join(' '), identity, await readBusybox()];
  const folder = await cached('root', inputs, async (partial) => {
    const root = join(partial, 'root');
    await mkdir(root);
    await unpackPackages(await withDependencies(packages, options), root, options);
    await completeRoot(root);
    for (const [path, text] of Object.entries(accounts)) await writeFile(join(root, path), text);
    if (node !== undefined) await installNode(node, root, options);
    await installBusybox(root, options);
    const flags = [
      '-q',
      '-t',
      'ext4',
      '-O',
      '^has_journal',
      '-m',
      '0',
      '-E',
      'root_owner=0:0,lazy_itable_init=1',
    ];
    await asRoot('mke2fs', [...flags, '-d', root, join(partial, 'root.ext4'), ROOT_SIZE], options);
    await rm(root, { recursive: true });
  });
  return join(folder, 'root.ext4');
}

/**
 * Runs a tool in a user namespace in which this user's files look like root's, so that they are root's in the image; where the
 * system allows users no namespaces they stay the user's, with whom a guest that runs everything as root works as well.
 */
async function asRoot(tool: Tool, args: readonly string[], options: ToolOptions): Promise<void> {
  if (process.getuid?.() !== 0) {
    const inNamespace = runTool('unshare', ['--user', '--map-root-user', toolPath(tool), ...args], options);
    if (
      await inNamespace.then(
        () => true,
        () => false,
      )
    )
      return;
  }
  await runTool(tool, args, options);
}

/** The files as an archive to be joined to an initramfs; the agent lays them over the root, whatever that is. */
export async function filesArchive(files: GuestFiles): Promise<Buffer> {
  const entries: CpioEntry[] = [];
  for (const [guestPath, source] of Object.entries(files)) {
    if (!guestPath.startsWith('/')) throw new RangeError(`${guestPath}: a path in the guest starts with "/"`);
    const path = `overlay${guestPath}`;
    if (typeof source === 'string') await addHostFile(entries, path, source, true);
    else entries.push({ type: 'file', path, data: source, mode: 0o755 });
  }
  return cpio(entries);
}

async function addHostFile(
  entries: CpioEntry[],
  path: string,
  source: string,
  follow: boolean,
): Promise<void> {
  const stats = await (follow ? stat(source) : lstat(source));
  const mode = stats.mode & 0o7777;
  if (stats.isSymbolicLink()) entries.push({ type: 'link', path, target: await readlink(source) });
  else if (stats.isFile()) entries.push({ type: 'file', path, data: await readFile(source), mode });
  else if (stats.isDirectory()) {
    entries.push({ type: 'folder', path, mode });
    for (const name of (await readdir(source)).sort())
      await addHostFile(entries, `${path}/${name}`, join(source, name), false);
  } else
    throw new RangeError(`${source} is neither file, folder nor symbolic link: it cannot go into a guest`);
}

/** The Node.js binary that this repository develops with, whatever runs this. */
export function repositoryNode(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve('node/package.json')), 'bin/node');
}

async function installNode(node: string, root: string, options: ToolOptions): Promise<void> {
  await copyFile(node, join(root, 'usr/local/bin/node'));
  const needed = (await runTool('ldd', [node], options)).toString();
  for (const [, library = ''] of needed.matchAll(/(\/\S+) \(0x/g)) {
    const target = join(root, library);
    await mkdir(dirname(target), { recursive: true });
    // A package's own library is as good and fits its other ones.
    await copyFile(library, target, constants.COPYFILE_EXCL).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function installBusybox(root: string, options: ToolOptions): Promise<void> {
  await writeFile(join(root, 'bin/busybox'), await readBusybox(), { mode: 0o755 });
  const present = new Set<string>();
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/local/bin'])
    for (const name of await readdir(join(root, folder))) present.add(name);
  for (const path of await applets(options)) {
    if (!present.has(basename(path))) await symlink('/bin/busybox', join(root, path));
    present.add(basename(path));
  }
}

async function readBusybox(): Promise<Buffer> {
  const busybox = await readFile(toolPath('busybox'));
  if (!busybox.includes('/ld-linux')) return busybox;
  throw new ToolError(
    'ERR_TOOL_NOT_FOUND',
    'busybox needs shared libraries; the test guest is built with the static one. Install it with: apt-get install busybox-static',
  );
}

/** Paths of busybox's programs, without leading slash. */
async function applets(options: ToolOptions): Promise<string[]> {
  const names = (await runTool('busybox', ['--list-full'], options)).toString().trim().split('\n');
  // linuxrc is busybox as init, which we have our own of.
  return names.filter(
    (path) => path !== 'linuxrc' && basename(path) !== 'busybox' && basename(path) !== 'init',
  );
}
