import { existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { cruise, type ICruiseResult, type IDependency, type IModule } from 'dependency-cruiser';
import { type Manifest, readManifest, repository, runtimeDependencies, workspaces } from './workspaces.ts';

/**
 * Who stands on whom. A package imports only from lower floors; two of one floor never import each other, so a service
 * never imports a service. What is not on a floor (guest, benchmarks, examples, scripts) is imported by nothing published.
 */
export const floors: readonly (readonly string[])[] = [
  ['libs/linux', 'libs/vsock'],
  [
    'libs/p9-protocol',
    'libs/minidump',
    'libs/pstore',
    'libs/syslog',
    'libs/vhost-user-vsock',
    'libs/vm-rpc',
    'libs/vsh',
    'libs/daemon',
  ],
  ['libs/vmm', 'libs/crash-report'],
  ['services/*'],
];

/** Imports within a floor that are meant: [from, to]. */
export const sameFloorAllowed: readonly (readonly [string, string])[] = [['libs/vsock', 'libs/linux']];

/** Source files from which nothing of Node can be reached: what they open works in a browser. `never` adds own folders. */
export const browserDoors: readonly { readonly entry: string; readonly never: readonly string[] }[] = [
  { entry: 'libs/p9-protocol/src/index.ts', never: ['libs/p9-protocol/src/host/'] },
  { entry: 'libs/minidump/src/index.ts', never: ['libs/minidump/src/host/'] },
  { entry: 'libs/pstore/src/index.ts', never: ['libs/pstore/src/host/'] },
];

/** Folders whose import graph is drawn. */
const roots = ['libs', 'services', 'examples', 'benchmarks', 'guest'];

/** A broken rule as one line: file, what it imports, why not. */
export async function brokenFloors(root: string = repository): Promise<string[]> {
  const modules = await importGraph(root);
  const manifests = new Map(workspaces(root).map(({ folder, manifest }) => [folder, manifest]));
  const rootManifest = readManifest(root);
  const broken = [...missingFloors([...manifests.keys()]), ...cycles(modules)];
  for (const module of modules) {
    const from = workspaceOf(module.source);
    if (!from || !manifests.has(from)) continue;
    for (const dependency of module.dependencies) {
      const why =
        unresolved(dependency) ??
        brokenFloor(module.source, dependency) ??
        undeclared(module.source, dependency, manifests.get(from) as Manifest, rootManifest);
      if (why) broken.push(`${module.source} imports ${dependency.module}: ${why}`);
    }
  }
  for (const door of browserDoors) broken.push(...brokenDoor(door, modules, root));
  return broken;
}

async function importGraph(root: string): Promise<IModule[]> {
  const { output } = await cruise(
    roots.filter((folder) => existsSync(join(root, folder))),
    {
      baseDir: root,
      // What only types need counts too: a package that is imported for its types must be installed.
      tsPreCompilationDeps: true,
      doNotFollow: { path: 'node_modules' },
      exclude: { path: '(^|/)(dist|build|prebuilds|\\.cache|fixtures)/' },
      validate: true,
      ruleSet: {
        forbidden: [
          {
            name: 'no-circular',
            severity: 'error',
            from: {},
            to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
          },
        ],
      },
    },
    {
      conditionNames: ['@vm-tools/source', 'import', 'require', 'node', 'types', 'default'],
      exportsFields: ['exports'],
      extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
    },
  );
  return [...(output as ICruiseResult).modules];
}

function cycles(modules: readonly IModule[]): string[] {
  const seen = new Set<string>();
  return modules.flatMap(({ source, dependencies }) =>
    dependencies.flatMap((dependency) => {
      if (!dependency.circular || !dependency.rules?.some(({ name }) => name === 'no-circular')) return [];
      const ring = [source, ...(dependency.cycle ?? []).map(({ name }) => name)];
      const key = [...new Set(ring)].sort().join();
      if (seen.has(key)) return [];
      seen.add(key);
      return [`${ring.join(' -> ')}: a cycle of imports`];
    }),
  );
}

function missingFloors(folders: readonly string[]): string[] {
  return folders
    .filter((folder) => /^(libs|services)\//.test(folder) && floorOf(folder) === undefined)
    .map((folder) => `${folder} stands on no floor: add it to the table in scripts/floors.ts`);
}

function unresolved({ couldNotResolve, module }: IDependency): string | undefined {
  return couldNotResolve && !isNode(module) ? 'there is no such module' : undefined;
}

function brokenFloor(source: string, { module, resolved }: IDependency): string | undefined {
  const from = workspaceOf(source);
  const to = workspaceOf(resolved);
  if (isTest(source) || !from || from === to) return undefined;
  if (isNode(module) || resolved.includes('node_modules/')) return undefined;
  const floor = floorOf(from);
  if (floor === undefined) return undefined;
  const below = to === undefined ? undefined : floorOf(to);
  if (to === undefined || below === undefined)
    return `what is published imports nothing of ${resolved.split('/')[0]}/`;
  if (floor > below) return undefined;
  if (sameFloorAllowed.some(([a, b]) => a === from && b === to)) return undefined;
  return floor === below
    ? `both ${from} and ${to} are on floor ${floor}, and those of one floor do not import each other`
    : `${from} is on floor ${floor}, below ${to} on floor ${below}`;
}

function undeclared(
  source: string,
  dependency: IDependency,
  own: Manifest,
  root: Manifest,
): string | undefined {
  const name = packageOf(dependency.module);
  if (!name || name === own.name) return undefined;
  const declared = runtimeDependencies(own);
  if (declared.has(name)) return undefined;
  const types = `@types/${name.replace('@', '').replace('/', '__')}`;
  const development = { ...own.devDependencies, ...root.devDependencies };
  const shipped = !isTest(source) && own.private !== true;
  const isDevelopment = Object.hasOwn(development, name) || Object.hasOwn(development, types);
  if (!shipped && isDevelopment) return undefined;
  return shipped && isDevelopment
    ? 'a dependency for development alone is not there when the package is installed'
    : `"${name}" is not among the dependencies in its package.json`;
}

function brokenDoor(
  door: (typeof browserDoors)[number],
  modules: readonly IModule[],
  root: string,
): string[] {
  const bySource = new Map(modules.map((module) => [module.source, module]));
  if (!bySource.has(door.entry)) {
    const folder = workspaceOf(door.entry) as string;
    return existsSync(join(root, folder, 'package.json'))
      ? [`${door.entry}: no such file, yet it is a browser door`]
      : [];
  }
  const broken: string[] = [];
  const via = new Map<string, string | undefined>([[door.entry, undefined]]);
  for (const source of via.keys()) {
    for (const { module, resolved, dependencyTypes } of bySource.get(source)?.dependencies ?? []) {
      if (dependencyTypes.includes('type-only') || via.has(resolved)) continue;
      via.set(resolved, source);
      if (!isNode(module) && !door.never.some((prefix) => resolved.startsWith(prefix))) continue;
      const way = [resolved];
      for (let at: string | undefined = source; at; at = via.get(at)) way.unshift(at);
      broken.push(`${way.join(' -> ')}: ${door.entry} must work in a browser`);
    }
  }
  return broken;
}

/** 1 and up, or undefined for what stands aside. */
export function floorOf(folder: string): number | undefined {
  const index = floors.findIndex((names) =>
    names.some((name) => name === folder || (name.endsWith('/*') && folder.startsWith(name.slice(0, -1)))),
  );
  return index === -1 ? undefined : index + 1;
}

function workspaceOf(file: string): string | undefined {
  return /^(?:libs|services|examples)\/[^/]+(?=\/)|^(?:benchmarks|guest)(?=\/)/.exec(file)?.[0];
}

function isTest(file: string): boolean {
  return /\.test\.ts$|^(?:libs|services)\/[^/]+\/(?:test\/|[^/]+\.config\.ts$)/.test(file);
}

function isNode(module: string): boolean {
  return module.startsWith('node:') || builtinModules.includes(module);
}

function packageOf(module: string): string | undefined {
  if (/^[./]/.test(module) || isNode(module)) return undefined;
  return /^(?:@[^/]+\/)?[^/]+/.exec(module)?.[0];
}
