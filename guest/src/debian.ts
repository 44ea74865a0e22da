import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, ToolError, type ToolOptions } from './tool.ts';

/** A package in the version that apt would install. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
}

/** The package that a metapackage stands for, by its first dependency that begins so. */
export async function dependencyOf(name: string, prefix: string, options: ToolOptions = {}): Promise<string> {
  const depends = (await runTool('apt-cache', ['depends', '--important', name], options)).toString();
  const found = depends.match(/^ {2}Depends: (\S+)$/gm)?.map((line) => line.slice(11));
  const dependency = found?.find((each) => each.startsWith(prefix));
  if (dependency !== undefined) return dependency;
  throw new ToolError(
    'ERR_TOOL_FAILED',
    `apt knows no ${name}, or no dependency of it on ${prefix}*. Fetch its package lists with: apt-get update`,
  );
}

/** The package in the version that apt would install. */
export async function packageNamed(name: string, options: ToolOptions = {}): Promise<DebianPackage> {
  const policy = (await runTool('apt-cache', ['policy', name], options)).toString();
  const version = /^ {2}Candidate: (\S+)$/m.exec(policy)?.[1];
  if (version !== undefined && version !== '(none)') return { name, version };
  throw new ToolError(
    'ERR_TOOL_FAILED',
    `apt knows no ${name}. Fetch its package lists with: apt-get update`,
  );
}

/** The packages and all that they depend on, without recommendations, as if nothing were installed. */
export async function withDependencies(
  names: readonly string[],
  options: ToolOptions = {},
): Promise<DebianPackage[]> {
  if (names.length === 0) return [];
  const settings = ['Dir::State::status=/dev/null', 'APT::Install-Recommends=false', 'Debug::NoLocking=true'];
  const flags = settings.flatMap((setting) => ['-o', setting]);
  return parseSimulation(
    (await runTool('apt-get', [...flags, '--simulate', 'install', ...names], options)).toString(),
  );
}

/** Reads what `apt-get --simulate install` would install: lines `Inst NAME (VERSION SOURCE [ARCHITECTURE]) ...`. */
export function parseSimulation(output: string): DebianPackage[] {
  return [...output.matchAll(/^Inst (\S+) \((\S+) /gm)].map(([, name = '', version = '']) => ({
    name,
    version,
  }));
}

/** Downloads packages and unpacks them into a folder, without running their scripts; nothing else is left. */
export async function unpackPackages(
  packages: readonly (DebianPackage | string)[],
  folder: string,
  options: ToolOptions = {},
): Promise<void> {
  if (packages.length === 0) return;
  const downloads = await mkdtemp(`${folder}.debs-`);
  try {
    const wanted = packages.map((each) => (typeof each === 'string' ? each : `${each.name}=${each.version}`));
    // Its own user may not write here; it says so in a warning and goes on.
    await runTool('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', ...wanted], {
      ...options,
      cwd: downloads,
    });
    for (const file of (await readdir(downloads)).sort())
      await runTool('dpkg-deb', ['--extract', join(downloads, file), folder], options);
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

const top = [
  'dev',
  'proc',
  'sys',
  'tmp',
  'run',
  'mnt',
  'root',
  'etc',
  'usr/local/bin',
  'usr/bin',
  'usr/sbin',
  'var/tmp',
];

/** Makes unpacked packages a root: the folders that none of them has, and /usr merged as in an installed Debian. */
export async function completeRoot(root: string): Promise<void> {
  for (const folder of top) await mkdir(join(root, folder), { recursive: true });
  // Before unpacking it would be in vain: dpkg-deb replaces a link by the folder of that name in a package.
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    const merged = join(root, 'usr', name);
    await mkdir(merged, { recursive: true });
    if (existsSync(join(root, name))) await moveInto(join(root, name), merged);
    await symlink(`usr/${name}`, join(root, name));
  }
}

async function moveInto(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await moveInto(source, target);
    else await rename(source, target);
  }
  await rmdir(from);
}
