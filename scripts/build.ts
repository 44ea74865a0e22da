import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { repository, runtimeDependencies, type Workspace, workspaces } from './workspaces.ts';

/**
 * Builds `dist/` of every workspace that has a `build` script, or of those named, two or more at a time. One whose sources,
 * dependencies and build tools are those of its last build is left alone. Rejects, when all have ended, with what those
 * that failed printed.
 */
export async function build(
  names: readonly string[] = [],
): Promise<{ built: string[]; unchanged: string[] }> {
  const all = workspaces();
  const wanted = all.filter(
    ({ folder, manifest }) =>
      manifest.scripts?.['build'] !== undefined &&
      (names.length === 0 || names.includes(folder) || names.includes(manifest.name)),
  );
  const digest = digests(all);
  const stale = wanted.filter((workspace) => stampOf(workspace) !== digest(workspace));
  const queue = stale.values();
  const failures: string[] = [];
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (const workspace of queue) {
        const failure = await buildOne(workspace);
        if (failure !== undefined) {
          failures.push(failure);
          continue;
        }
        mkdirSync(join(repository, '.cache/build'), { recursive: true });
        writeFileSync(stampFile(workspace), digest(workspace));
      }
    }),
  );
  if (failures.length > 0) throw new Error(failures.join('\n'));
  const folders = (list: readonly Workspace[]) => list.map(({ folder }) => folder);
  return { built: folders(stale), unchanged: folders(wanted.filter((one) => !stale.includes(one))) };
}

/** What a build is made of: sources, configuration, tools, and the same of the workspaces it imports. */
function digests(all: readonly Workspace[]): (workspace: Workspace) => string {
  const byName = new Map(all.map((workspace) => [workspace.manifest.name, workspace]));
  const known = new Map<string, string>();
  const tools = ['package-lock.json', 'tsconfig.base.json', 'scripts/tsup.ts']
    .map((file) => fileDigest(file))
    .join();
  return function digest(workspace: Workspace): string {
    const { folder, manifest } = workspace;
    const already = known.get(folder);
    if (already !== undefined) return already;
    const files = globSync(['package.json', 'tsconfig.json', 'tsup.config.ts', 'src/**/*'], {
      cwd: join(repository, folder),
      withFileTypes: true,
    })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    const hash = createHash('sha256').update(tools);
    for (const file of files) hash.update(`${file}\0`).update(readFileSync(file));
    known.set(folder, '');
    for (const name of [...runtimeDependencies(manifest)].sort()) {
      const dependency = byName.get(name);
      if (dependency) hash.update(digest(dependency));
    }
    known.set(folder, hash.digest('hex'));
    return known.get(folder) as string;
  };
}

function fileDigest(file: string): string {
  return createHash('sha256')
    .update(readFileSync(join(repository, file)))
    .digest('hex');
}

function stampFile({ folder }: Workspace): string {
  return join(repository, '.cache/build', `${folder.replaceAll('/', '-')}.sha256`);
}

function stampOf(workspace: Workspace): string | undefined {
  const file = stampFile(workspace);
  const dist = join(repository, workspace.folder, 'dist');
  return existsSync(dist) && existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Resolves to nothing, or to what went wrong. */
function buildOne({ folder }: Workspace): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', ['run', '--silent', 'build'], {
      cwd: join(repository, folder),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (status) => {
      resolve(
        status === 0 ? undefined : `building ${folder} failed:\n${Buffer.concat(output).toString('utf8')}`,
      );
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = performance.now();
  try {
    const { built, unchanged } = await build(process.argv.slice(2));
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `built ${built.length === 0 ? 'nothing' : built.join(', ')} in ${seconds} s; ${unchanged.length} unchanged`,
    );
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
