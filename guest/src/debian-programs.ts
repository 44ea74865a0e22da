import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { unpackPackages, withDependencies } from './debian.ts';
import type { ToolOptions } from './tool.ts';

/** Programs of Debian packages that run on this machine without being installed, beside others that conflict with them. */
export class DebianPrograms {
  /** Where the packages and all that they depend on are unpacked. */
  readonly folder: string;
  readonly #loader: string;
  readonly #libraries: string;

  private constructor(folder: string, loader: string, libraries: string) {
    this.folder = folder;
    this.#loader = loader;
    this.#libraries = libraries;
  }

  /**
   * Unpacks them, once; needs the network then.
   * @param libraries folders of further libraries, below the root: `usr/lib/syslog-ng`
   * @throws ToolError
   */
  static async of(
    names: readonly string[],
    libraries: readonly string[] = [],
    options: ToolOptions = {},
  ): Promise<DebianPrograms> {
    const packages = await withDependencies(names, options);
    const inputs = packages.map(({ name, version }) => `${name}=${version}`);
    const folder = await cached('programs', inputs, (partial) => unpackPackages(packages, partial, options));
    const multiarch = (await readdir(join(folder, 'lib'))).find((each) => each.endsWith('-linux-gnu')) ?? '';
    const all = [`lib/${multiarch}`, `usr/lib/${multiarch}`, ...libraries].map((each) => join(folder, each));
    const loaders = (await readdir(all[0] as string)).filter((each) => each.startsWith('ld-linux-'));
    return new DebianPrograms(folder, join(all[0] as string, loaders[0] ?? 'ld.so'), all.join(':'));
  }

  /** A path below `usr/lib/<architecture>-linux-gnu`, or below the root. */
  path(below: string): string {
    const inLibraries = this.#libraries.split(':').map((folder) => join(folder, below));
    return inLibraries.find((path) => existsSync(path)) ?? join(this.folder, below);
  }

  /** What to run for a program, such as `usr/sbin/rsyslogd`: with its own libraries, whatever this machine has. */
  argv(program: string, ...args: string[]): [command: string, ...args: string[]] {
    return [this.#loader, '--library-path', this.#libraries, join(this.folder, program), ...args];
  }
}
