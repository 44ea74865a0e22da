import { existsSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join, posix, relative, resolve, sep } from 'node:path';
import { defineConfig, type Options } from 'tsup';

export interface LibraryOptions {
  /**
   * Source files that become files of `dist/`: `src/index.ts` -> `dist/index.js`, `src/host/index.ts` -> `dist/host/index.js`.
   * A file that is started as a Worker or a child is an entry too: it is named by `new URL('./thread.ts', import.meta.url)`.
   */
  readonly entry: readonly string[];
  /** `neutral` for packages that also run in a browser. Default `node`. */
  readonly platform?: 'node' | 'neutral';
  /** Default `['esm', 'cjs']`. */
  readonly format?: readonly ('esm' | 'cjs')[];
  /** Declarations. Default true. */
  readonly dts?: boolean;
  /** Anything else that tsup takes. */
  readonly tsup?: Options;
}

/** What `import.meta.url` becomes in CommonJS; every file that uses it defines it. */
const MODULE_URL = '__moduleUrl';

/** The one way in which the packages of this repository are built: ESM, CommonJS and declarations from `src/`. */
export function library(options: LibraryOptions): ReturnType<typeof defineConfig> {
  // Chunks carry a hash in their names: what an earlier build left must not be packed with this one.
  rmSync('dist', { recursive: true, force: true });
  const formats = options.format ?? ['esm', 'cjs'];
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
    optionalDependencies?: Record<string, string>;
  };
  const optionalDependencies = Object.keys(manifest.optionalDependencies ?? {});
  const entries = Object.fromEntries(
    options.entry.map((file) => [
      posix.join(posix.dirname(posix.relative('src', file)), basename(file, '.ts')),
      file,
    ]),
  );
  return defineConfig(
    // One run a format: the name that a `new URL()` gets depends on it, and esbuild plugins are not told.
    formats.map((format) => {
      const urls = new SourceUrls(entries, format === 'esm' ? '.js' : '.cjs');
      return {
        entry: entries,
        format: [format],
        platform: options.platform ?? 'node',
        // tsup leaves out `dependencies` by itself, but not these.
        external: optionalDependencies,
        target: 'node22',
        outDir: 'dist',
        // Shared code is one chunk: a class that two doors of a package export is one class.
        splitting: true,
        // Rollup then writes the CommonJS; without it sucrase does, which turns every `?.` into closures.
        treeshake: format === 'cjs',
        sourcemap: true,
        // tsup's own shims would live in a shared chunk and so name the wrong folder: see SourceUrls.
        shims: false,
        ...(format === 'cjs' ? { define: { 'import.meta.url': MODULE_URL } } : {}),
        removeNodeProtocol: false,
        minify: false,
        silent: true,
        outExtension: () => ({ js: format === 'esm' ? '.js' : '.cjs' }),
        dts:
          options.dts === false
            ? false
            : {
                // The project is composite for `tsc -b`; a bundle of declarations is not.
                compilerOptions: {
                  composite: false,
                  incremental: false,
                  declarationMap: false,
                  emitDeclarationOnly: false,
                  noEmit: false,
                  allowImportingTsExtensions: true,
                  rewriteRelativeImportExtensions: false,
                  // tsup sets baseUrl, which TypeScript 6 deprecates.
                  ignoreDeprecations: '6.0',
                },
              },
        esbuildPlugins: [urls.esbuildPlugin],
        plugins: [urls.tsupPlugin],
        ...options.tsup,
      };
    }),
  );
}

export interface ProgramOptions {
  /** Default `['src/main.ts']`. */
  readonly entry?: readonly string[];
  /** The packages that are built into it; others stay dependencies. */
  readonly inside: readonly (string | RegExp)[];
}

/**
 * How the programs of services are built: each one CommonJS file, with packages inside from their sources, because of what start-up
 * costs: an empty program 25 ms, `9s --help` 30 ms. As ES modules it took 37 ms: each file costs most of a millisecond, and importing node:fs
 * and node:util loads their lazy parts too, to export them. What a lazy import names is still evaluated only when it is reached.
 */
export function program({
  entry = ['src/main.ts'],
  inside,
}: ProgramOptions): ReturnType<typeof defineConfig> {
  return library({
    entry,
    format: ['cjs'],
    dts: false,
    tsup: {
      splitting: false,
      treeshake: false,
      noExternal: [...inside],
      esbuildOptions: (options) => {
        options.conditions = ['@vm-tools/source'];
      },
    },
  });
}

/**
 * Makes `new URL('<relative>', import.meta.url)` mean in `dist/` what it means in the sources.
 *
 * A URL to another entry becomes the URL of what that entry is built into, in the same format; a URL to a file or folder
 * outside `src/` (`../package.json`, `../prebuilds/`) stays a URL to it, seen from wherever the bundler put the code.
 */
class SourceUrls {
  readonly #targets = new Map<string, string>();
  readonly #entries: Record<string, string>;
  readonly #extension: string;

  constructor(entries: Record<string, string>, extension: string) {
    this.#entries = entries;
    this.#extension = extension;
  }

  get esbuildPlugin(): NonNullable<Options['esbuildPlugins']>[number] {
    return {
      name: 'source-urls',
      setup: (build) => {
        build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, ({ path }) => {
          const source = readFileSync(path, 'utf8');
          const contents = source.replace(
            /new URL\(\s*(['"`])(\.{1,2}(?:\/[^'"`$]*)?)\1\s*,\s*import\.meta\.url\s*,?\s*\)/g,
            (_, _quote, target: string) => `new URL('${this.#placeholder(path, target)}', import.meta.url)`,
          );
          return { contents, loader: 'ts' };
        });
      },
    };
  }

  get tsupPlugin(): NonNullable<Options['plugins']>[number] {
    const targets = this.#targets;
    return {
      name: 'source-urls',
      renderChunk(code, { path }) {
        if (!/\.c?js$/.test(path)) return undefined;
        const rewritten = code.replace(/vm-tools-url:\d+/g, (id) => {
          const target = targets.get(id) as string;
          const way = relative(dirname(path), target).split(sep).join('/');
          return (way.startsWith('.') ? way : `./${way}`) + (target.endsWith('/') ? '/' : '');
        });
        // tsup adds this comment anew, after rollup has kept the old one.
        const body = rewritten.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
        // On the line that is there already, so that the source map stays true.
        const define = rewritten.includes(MODULE_URL)
          ? `const ${MODULE_URL} = require('node:url').pathToFileURL(__filename).href;`
          : '';
        return { code: withShebang(body, define) };
      },
    };
  }

  #placeholder(importer: string, target: string): string {
    const file = resolve(dirname(importer), target);
    const entry = Object.entries(this.#entries).find(([, source]) => resolve(source) === file);
    const inSources = !relative(resolve('src'), file).startsWith('..');
    if (!entry && inSources) {
      throw new Error(
        `${relative('.', importer)}: new URL('${target}', import.meta.url) names ${relative('.', file)}, which is not built: ` +
          `${existsSync(file) ? 'add it to "entry" in tsup.config.ts' : 'there is no such file'}`,
      );
    }
    const built = entry ? resolve('dist', entry[0] + this.#extension) : file;
    const id = `vm-tools-url:${this.#targets.size}`;
    this.#targets.set(id, target.endsWith('/') ? join(built, '/') : built);
    return id;
  }
}

function withShebang(code: string, prefix: string): string {
  const end = code.startsWith('#!') ? code.indexOf('\n') + 1 : 0;
  return code.slice(0, end) + prefix + code.slice(end);
}
