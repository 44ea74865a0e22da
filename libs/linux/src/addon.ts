import { fileURLToPath } from 'node:url';
import load from 'node-gyp-build';
import { UnsupportedPlatformError } from './error.ts';

/** What the compiled addon exports: calls that return a number, and the numbers of the headers. */
export interface Addon {
  readonly calls: Readonly<Record<string, (...args: never) => unknown>>;
  readonly constants: Readonly<Record<string, number>>;
  readonly systemCalls: Readonly<Record<string, number>>;
}

/** What {@link loadAddon} takes from its surroundings. */
export interface Surroundings {
  readonly platform: string;
  readonly arch: string;
  /** Finds and loads the binary of a package folder, or throws. */
  readonly load: (packageFolder: string) => unknown;
}

/**
 * Loads the addon of this package: `prebuilds/<platform>-<arch>` or what `build:native` compiled.
 * Never throws: where it cannot be had, every call of the result throws one {@link UnsupportedPlatformError}.
 */
export function loadAddon({ platform, arch, load }: Surroundings): Addon {
  try {
    if (platform !== 'linux') throw new Error('it consists of Linux system calls');
    const exported = load(fileURLToPath(new URL('..', import.meta.url))) as Addon['calls'] & Addon;
    const { constants, systemCalls, ...calls } = exported;
    return { calls, constants, systemCalls };
  } catch (cause) {
    const missing = (): never => {
      throw new UnsupportedPlatformError(platform, arch, cause);
    };
    return { calls: new Proxy({}, { get: () => missing }), constants: {}, systemCalls: {} };
  }
}

export const addon: Addon = loadAddon({ platform: process.platform, arch: process.arch, load });

/** Every call of the addon that was asked for by name; a test compares it with the native table. */
export const asked: Set<string> = new Set();

/** The call of that name, as the addon has it: a number >= 0, or a negative errno. */
export function hot<F extends (...args: never[]) => unknown>(name: string): F {
  asked.add(name);
  return addon.calls[name] as F;
}
