import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cache, repository } from '../folders.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const OURS = 'services/9s';
/** What a package is made of when it is installed, as far as it runs. */
const PARTS = ['package.json', 'dist', 'prebuilds', 'build/Release'];

/**
 * 9s as it is installed: built, and copied with our packages that it needs, so that who builds in the meantime does not change
 * what is being measured. Ends with `using`.
 */
export class Installed9s implements Disposable {
  /** The program's file. */
  readonly program: string;
  readonly #folder: string;

  constructor() {
    const folders = closure(OURS);
    build(folders);
    mkdirSync(cache, { recursive: true });
    this.#folder = mkdtempSync(join(cache, '9s-'));
    for (const folder of folders) {
      const from = join(repository, folder);
      const to = this.#place(readManifest(folder).name);
      for (const part of PARTS) {
        if (existsSync(join(from, part))) cpSync(join(from, part), join(to, part), { recursive: true });
      }
    }
    const { name, bin } = readManifest(OURS);
    this.program = join(this.#place(name), bin?.['9s'] ?? 'package.json names no program');
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Packages of others are found further up, where the repository has them. */
  #place(name: string): string {
    return join(this.#folder, 'node_modules', name);
  }
}

export function version9s(): string {
  return readManifest(OURS).version;
}

/** A workspace and those that it needs, by folder. */
function closure(root: string): string[] {
  const folders = [root];
  for (const folder of folders) {
    const { dependencies, optionalDependencies } = readManifest(folder);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const library = `libs/${name.replace('@vm-tools/', '')}`;
      if (name.startsWith('@vm-tools/') && !folders.includes(library)) folders.push(library);
    }
  }
  return folders;
}

function build(folders: readonly string[]): void {
  try {
    execFileSync(process.execPath, ['scripts/build.ts', ...folders], { cwd: repository, stdio: 'pipe' });
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer };
    throw new Error(
      `9s cannot be built:\n${stderr ?? (error as Error).message}\n--source measures the sources instead`,
      { cause: error },
    );
  }
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(repository, folder, 'package.json'), 'utf8')) as Manifest;
}
