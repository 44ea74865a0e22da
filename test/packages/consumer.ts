import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  publishedWorkspaces,
  repository,
  runtimeDependencies,
  type Workspace,
} from '../../scripts/workspaces.ts';

const empty = join(repository, '.cache/packages/npmrc');

/** npm as a stranger has it: without this machine's settings. */
export function npm(args: string[], cwd: string): { status: number | null; output: string; stdout: string } {
  mkdirSync(join(empty, '..'), { recursive: true });
  writeFileSync(empty, '');
  const { status, stdout, stderr, error } = spawnSync('npm', [...args, '--userconfig', empty], {
    cwd,
    encoding: 'utf8',
    // What `npm test` itself was told (workspaces, log level) is not for this npm.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))),
  });
  return { status, stdout, output: error?.message ?? stderr + stdout };
}

/** Packs what would be published and returns the file's path; native packages are built for this machine first. */
export function pack({ folder, manifest }: Workspace, into: string): { file: string; contents: string[] } {
  const cwd = join(repository, folder);
  if (manifest.scripts?.['prebuild:glibc'])
    execFileSync('npm', ['run', '--silent', 'prebuild:glibc'], { cwd });
  const { status, stdout, output } = npm(['pack', '--json', '--silent', '--pack-destination', into], cwd);
  if (status !== 0) throw new Error(`npm pack in ${folder}: ${output}`);
  const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
  if (!packed) throw new Error(`npm pack in ${folder} says nothing`);
  return { file: join(into, packed.filename), contents: packed.files.map(({ path }) => path) };
}

/** The workspaces that installing one brings along, itself included. */
export function closureOf(workspace: Workspace): Workspace[] {
  const byName = new Map(publishedWorkspaces().map((each) => [each.manifest.name, each]));
  const found = new Set([workspace]);
  for (const each of found) {
    for (const name of runtimeDependencies(each.manifest)) {
      const dependency = byName.get(name);
      if (dependency) found.add(dependency);
    }
  }
  return [...found];
}

/** An empty project outside the repository, as a user has one. */
export class Consumer implements Disposable {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'vm-tools-consumer-'));
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true }));
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  /** Installs tarballs and packages of the registry; no install script runs, for none of ours is needed. */
  install(packages: readonly string[]): void {
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
    const { status, output } = npm(['install', ...flags, ...packages], this.folder);
    if (status !== 0) throw new Error(`npm install ${packages.join(' ')}: ${output}`);
  }

  /** Type-checks the project's `.mts` files as strictly as anyone may, declarations of packages included, and compiles them. */
  compile(): { status: number | null; output: string } {
    // Connect's declarations name types of the DOM, as its users know; ours do not.
    const isConnect = existsSync(join(this.folder, 'node_modules/@connectrpc/connect'));
    this.write(
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          target: 'es2022',
          lib: ['es2023', 'esnext.disposable', ...(isConnect ? ['dom'] : [])],
          module: 'nodenext',
          strict: true,
          noUncheckedIndexedAccess: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          typeRoots: [join(repository, 'node_modules/@types')],
          types: ['node'],
          ignoreDeprecations: '6.0',
        },
        include: ['*.mts'],
      }),
    );
    const tsc = join(repository, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '--pretty', 'false'], {
      cwd: this.folder,
      encoding: 'utf8',
    });
    return { status, output: stdout };
  }

  run(node: string, args: string[]): { status: number | null; stdout: string; stderr: string } {
    const { NODE_OPTIONS: _ours, ...env } = process.env;
    const { status, stdout, stderr, signal } = spawnSync(node, args, {
      cwd: this.folder,
      encoding: 'utf8',
      env,
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    return { status, stdout, stderr: signal ? `${stderr}\nended by ${signal}` : stderr };
  }

  installed(name: string): { version: string } {
    return JSON.parse(readFileSync(join(this.folder, 'node_modules', name, 'package.json'), 'utf8')) as {
      version: string;
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
