// What every root command starts with. On a bare machine (Node 20, npm, a C++ compiler, make, python3) it brings in what
// the command needs and runs it under the Node of node_modules/.bin; on a prepared machine it only looks, and is quick.
// Plain JavaScript for Node 20 without any dependency: it runs before there are any.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debian } from './debian.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const source = '--conditions=@vm-tools/source';

/** What each root command needs, and what it runs once that is there. */
const commands = {
  demo: {
    packages: [...debian.native, ...debian.guest],
    native: true,
    run: ['node', source, 'scripts/demo.ts'],
  },
  test: {
    packages: [...debian.native, ...debian.guest, ...debian.judges],
    native: true,
    run: ['node', source, 'scripts/test.ts'],
  },
  'test:nightly': {
    packages: [...debian.native, ...debian.guest, ...debian.judges, ...debian.nightly],
    native: true,
    run: ['node', source, 'scripts/test.ts', '--mode', 'nightly'],
  },
  bench: {
    packages: [...debian.native, ...debian.bench],
    native: true,
    run: ['npm', 'run', '--silent', 'bench', '--workspace', 'benchmarks', '--'],
  },
  build: { packages: debian.native, native: true, run: ['node', 'scripts/build.ts'] },
  lint: { packages: [], native: false, run: ['node', 'scripts/lint.ts'] },
  typecheck: { packages: [], native: false, run: ['node', 'scripts/typecheck.ts'] },
  format: { packages: [], native: false, run: ['biome', 'check', '--write', '.'] },
  docs: { packages: [], native: false, run: ['typedoc'] },
};

const [name = '', ...rest] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (!command) fail(`usage: node scripts/bootstrap.mjs ${Object.keys(commands).join('|')} [argument...]`, 2);

const env = { ...process.env, PATH: searchPath() };
installDebianPackages(command.packages);
installNodeModules();
if (command.native) buildNative();
runCommand([...command.run, ...rest]);

/**
 * The tools and the Node of node_modules/.bin first. With VM_TOOLS_NODE=system the Node that is on the PATH without them:
 * so CI runs the tests on each release that we support.
 */
function searchPath() {
  const outer = (process.env.PATH ?? '').split(delimiter);
  if (process.env.VM_TOOLS_NODE !== 'system') return [bin, ...outer].join(delimiter);
  return [...outer.filter((folder) => !/[\\/]node_modules[\\/]/.test(folder)), bin].join(delimiter);
}

/** Installs what dpkg does not have, when we are root; says what to type when we are not. */
function installDebianPackages(wanted) {
  if (wanted.length === 0) return;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = '${Package} ${db:Status-Abbrev}\\n';
  const query = spawnSync('dpkg-query', ['-W', '-f', format, ...wanted], { encoding: 'utf8' });
  if (query.error) {
    console.error(
      `vm-tools: no dpkg here: make sure that what these Debian packages hold is there: ${wanted.join(' ')}`,
    );
    return;
  }
  const installed = new Set(
    query.stdout
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, status]) => status?.startsWith('ii'))
      .map(([name]) => name),
  );
  const missing = wanted.filter((name) => !installed.has(name));
  const hasLists = !wanted.includes('qemu-system-x86') || hasPackageLists();
  if (missing.length === 0 && hasLists) return;
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  const root = process.getuid?.() === 0;
  // On a CI machine we may become root without asking; on a person's we do not.
  const sudo = !root && process.env.CI && spawnSync('sudo', ['-n', 'true']).status === 0;
  if (!root && !sudo) {
    const remedy = [
      ...(hasLists ? [] : ['sudo apt-get update']),
      ...(missing.length ? [`sudo ${install.join(' ')}`] : []),
    ];
    fail(`"npm run ${name}" needs Debian packages that are not installed:\n\n  ${remedy.join(' && ')}\n`);
  }
  const prefix = [...(sudo ? ['sudo', '-n'] : []), 'env', 'DEBIAN_FRONTEND=noninteractive'];
  step([...prefix, 'apt-get', 'update', '-q'], { env, quiet: true });
  if (missing.length > 0) step([...prefix, ...install], { env, quiet: true });
}

/** Whether apt knows any package: in a fresh container it does not. */
function hasPackageLists() {
  const folder = process.env.VM_TOOLS_APT_LISTS ?? '/var/lib/apt/lists';
  return existsSync(folder) && readdirSync(folder).some((file) => /_Packages(\.\w+)?$/.test(file));
}

/** `npm ci`, unless what is installed is what package-lock.json says. */
function installNodeModules() {
  if (isInstalled()) return;
  step(['npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error'], { env: process.env });
}

function isInstalled() {
  let locked;
  let installed;
  try {
    locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    installed = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
  } catch {
    return false;
  }
  return (
    existsSync(join(bin, 'node')) &&
    Object.entries(locked).every(([path, want]) => {
      const have = installed[path];
      if (path === '') return true;
      // What is optional may be for another system.
      if (!have) return want.optional === true || want.devOptional === true || want.peer === true;
      return have.version === want.version && have.integrity === want.integrity && have.link === want.link;
    })
  );
}

/** Runs the `build:native` script of each workspace whose native sources changed since it last succeeded. */
function buildNative() {
  for (const folder of workspaces()) {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    if (!manifest.scripts?.['build:native']) continue;
    const hash = createHash('sha256').update(`${process.platform} ${process.arch} `);
    for (const file of ['package.json', 'binding.gyp', ...filesOf(folder, 'native')]) {
      const path = join(root, folder, file);
      if (existsSync(path)) hash.update(`${file}\0`).update(readFileSync(path));
    }
    const digest = hash.digest('hex');
    const stamp = join(root, '.cache/native', `${folder.replaceAll('/', '-')}.sha256`);
    const built = ['build/Release', 'prebuilds'].some((output) => existsSync(join(root, folder, output)));
    if (built && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) continue;
    step(['npm', 'run', '--silent', 'build:native'], { cwd: join(root, folder), env });
    mkdirSync(join(root, '.cache/native'), { recursive: true });
    writeFileSync(stamp, digest);
  }
}

function workspaces() {
  const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return workspaces
    .flatMap((pattern) => {
      if (!pattern.endsWith('/*')) return [pattern];
      const parent = pattern.slice(0, -2);
      if (!existsSync(join(root, parent))) return [];
      return readdirSync(join(root, parent)).map((child) => `${parent}/${child}`);
    })
    .filter((folder) => existsSync(join(root, folder, 'package.json')));
}

function filesOf(folder, path) {
  const full = join(root, folder, path);
  if (!existsSync(full)) return [];
  return readdirSync(full, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const child = `${path}/${entry.name}`;
      return entry.isDirectory() ? filesOf(folder, child) : [child];
    });
}

/** Runs one preparing step; its output is shown, or with `quiet` only when it fails. */
function step(argv, { quiet = false, ...options }) {
  console.error(`vm-tools: ${argv.join(' ')}`);
  const { status, error, stdout, stderr } = spawnSync(argv[0], argv.slice(1), {
    cwd: root,
    stdio: ['ignore', quiet ? 'pipe' : 2, quiet ? 'pipe' : 2],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  });
  if (status === 0) return;
  if (quiet) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  fail(`${argv.join(' ')} failed: ${error?.message ?? `exit status ${status}`}`);
}

function runCommand(argv) {
  const child = spawn(argv[0], argv.slice(1), { cwd: root, env, stdio: 'inherit' });
  // From a terminal the child gets these too; from a supervisor we alone do.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot run ${argv[0]}: ${error.message}`));
  child.on('exit', (status, signal) => {
    process.exitCode = status ?? 128 + constants.signals[signal];
    // The handlers would otherwise keep nothing alive, but a second signal must end us.
    for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(each);
  });
}

function fail(message, status = 1) {
  console.error(`vm-tools: ${message}`);
  process.exit(status);
}
