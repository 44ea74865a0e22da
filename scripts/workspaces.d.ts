/** The repository's own folder, absolute, without a slash at its end. */
export declare const repository: string;
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
export declare function workspaces(root?: string): Workspace[];
/** The workspaces that go to the registry. */
export declare function publishedWorkspaces(root?: string): Workspace[];
export declare function readManifest(folder: string): Manifest;
/** What a package may import when it is installed: its dependencies of every kind but those for development. */
export declare function runtimeDependencies(manifest: Manifest): Set<string>;
//# sourceMappingURL=workspaces.d.ts.map
