import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's own folder, absolute, without a slash at its end. */
export const repository = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** The part of a package.json that our scripts read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly workspaces?: readonly string[];
}

export interface Workspace {
  /** Relative to the repository: `libs/pstore`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Every workspace that has a package.json, sorted by folder. */
export function workspaces(root: string = repository): Workspace[] {
  return (readManifest(root).workspaces ?? [])
    .flatMap((pattern) => globSync(pattern, { cwd: root }))
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .sort()
    .map((folder) => ({ folder, manifest: readManifest(join(root, folder)) }));
}

/** The workspaces that go to the registry. */
export function publishedWorkspaces(root: string = repository): Workspace[] {
  return workspaces(root).filter(({ manifest }) => manifest.private !== true);
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** What a package may import when it is installed: its dependencies of every kind but those for development. */
export function runtimeDependencies(manifest: Manifest): Set<string> {
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifest;
  return new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }));
}
