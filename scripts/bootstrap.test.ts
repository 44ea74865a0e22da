import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { repository } from './workspaces.ts';

/** A repository of its own, on a machine whose dpkg, apt-get, sudo and npm only write down how they were called. */
let root: string;

const lock = (version: string) =>
  JSON.stringify({ packages: { '': {}, 'node_modules/x': { version, integrity: 'sha512-x' } } });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vm-tools-bootstrap-'));
  mkdirSync(join(root, 'scripts'));
  for (const file of ['scripts/bootstrap.mjs', 'scripts/debian.mjs'])
    copyFileSync(join(repository, file), join(root, file));
  write('lists/deb.debian.org_Packages', '');
  write('package.json', JSON.stringify({ type: 'module', workspaces: ['libs/*'] }));
  write('package-lock.json', lock('1.0.0'));
  write('node_modules/.package-lock.json', lock('1.0.0'));
  mkdirSync(join(root, 'node_modules/.bin'), { recursive: true });
  symlinkSync(process.execPath, join(root, 'node_modules/.bin/node'));
  for (const name of ['lint', 'build', 'test']) {
    write(
      `scripts/${name}.ts`,
      `console.log('ran ${name}', ...process.argv.slice(2)); process.exitCode = Number(process.env.STATUS ?? 0);`,
    );
  }
  program(
    'dpkg-query',
    'shift 3; for name in "$@"; do case " $ABSENT " in *" $name "*) ;; *) echo "$name ii ";; esac; done',
  );
  program('apt-get', 'echo "apt-get $*" >> calls; exit $APT_STATUS');
  program(
    'npm',
    'echo "npm $*" >> calls; cp package-lock.json node_modules/.package-lock.json 2>/dev/null; exit 0',
  );
  program('sudo', 'echo "sudo $*" >> calls; exit 1');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

function program(name: string, script: string): void {
  write(`machine/${name}`, `#!/bin/sh\n${script}\n`);
  chmodSync(join(root, 'machine', name), 0o755);
}

/** As who it is run: bootstrap asks `process.getuid`. */
const as = (uid: number) => ({ NODE_OPTIONS: `--import=data:text/javascript,process.getuid=()=>${uid}` });
const superuser = as(0);
const person = as(1000);

function bootstrap(args: string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ['scripts/bootstrap.mjs', ...args], {
    cwd: root,
    encoding: 'utf8',
    env: {
      PATH: `${join(root, 'machine')}:/usr/bin:/bin`,
      VM_TOOLS_APT_LISTS: join(root, 'lists'),
      ...env,
    },
  });
}

/** How the machine's programs were called, in order. */
function calls(): string[] {
  const file = join(root, 'calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

describe('a root command', () => {
  test('runs at once, with its arguments, when everything is there', () => {
    const { status, stdout, stderr } = bootstrap(['test', '-t', 'a name']);
    expect({ status, stdout, stderr, calls: calls() }).toEqual({
      status: 0,
      stdout: 'ran test -t a name\n',
      stderr: '',
      calls: [],
    });
  });

  test('ends as what it runs ends', () => {
    expect(bootstrap(['lint'], { STATUS: '7' }).status).toBe(7);
  });

  test('installs npm packages when there are none', () => {
    rmSync(join(root, 'node_modules/.package-lock.json'));
    expect(bootstrap(['lint'])).toMatchObject({ status: 0, stdout: 'ran lint\n' });
    expect(calls()).toEqual([expect.stringMatching(/^npm ci /)]);
  });

  test('installs npm packages when the lock has changed, and only then', () => {
    write('package-lock.json', lock('2.0.0'));
    bootstrap(['lint']);
    bootstrap(['lint']);
    expect(calls()).toEqual([expect.stringMatching(/^npm ci /)]);
  });

  test('that needs no Debian package asks for none', () => {
    expect(bootstrap(['lint'], { ABSENT: 'g++ make' }).status).toBe(0);
    expect(calls()).toEqual([]);
  });

  test('installs the Debian packages that are missing, as root', () => {
    const outcome = bootstrap(['build'], { ABSENT: 'g++ make', ...superuser });
    expect(outcome).toMatchObject({ status: 0, stdout: 'ran build\n' });
    expect(calls()).toEqual(['apt-get update -q', 'apt-get install -y --no-install-recommends g++ make']);
  });

  test('becomes root for that on a CI machine that lets it', () => {
    program('sudo', 'echo "sudo $2" >> calls; shift; exec "$@"');
    bootstrap(['build'], { ABSENT: 'make', CI: 'true', ...person });
    expect(calls()).toEqual([
      'sudo true',
      'sudo env',
      'apt-get update -q',
      'sudo env',
      'apt-get install -y --no-install-recommends make',
    ]);
  });

  test('stops when apt-get fails', () => {
    const { status, stderr, stdout } = bootstrap(['build'], {
      ABSENT: 'make',
      APT_STATUS: '100',
      ...superuser,
    });
    expect(status).toBe(1);
    expect(stderr).toContain('apt-get update -q failed: exit status 100');
    expect(stdout).toBe('');
  });

  test('fetches the package lists from which the guest is built, when apt has none', () => {
    rmSync(join(root, 'lists'), { recursive: true });
    expect(bootstrap(['test'], superuser)).toMatchObject({ status: 0, stdout: 'ran test\n' });
    expect(calls()).toEqual(['apt-get update -q']);
  });

  test('says what to install, and stops, when it is not root', () => {
    const { status, stderr, stdout } = bootstrap(['build'], { ABSENT: 'g++', ...person });
    expect(status).toBe(1);
    expect(stderr).toContain('sudo apt-get install -y --no-install-recommends g++\n');
    expect(stdout).toBe('');
    expect(calls()).toEqual([]);
  });

  test('builds native code once, and again when its sources change', () => {
    const manifest = { name: 'x', scripts: { 'build:native': 'true' } };
    write('libs/x/package.json', JSON.stringify(manifest));
    write('libs/x/native/x.cc', 'int x;');
    mkdirSync(join(root, 'libs/x/build/Release'), { recursive: true });
    program('npm', 'echo "npm $*" >> ../../calls');
    bootstrap(['build']);
    bootstrap(['build']);
    expect(calls()).toEqual(['npm run --silent build:native']);
    write('libs/x/native/x.cc', 'int y;');
    bootstrap(['build']);
    expect(calls()).toHaveLength(2);
  });

  test('runs on the Node of the machine when told to', () => {
    program('node', `echo "machine's node: $*"`);
    expect(bootstrap(['lint'], { VM_TOOLS_NODE: 'system' }).stdout).toBe("machine's node: scripts/lint.ts\n");
    expect(bootstrap(['lint']).stdout).toBe('ran lint\n');
  });

  test('that does not exist is answered with those that do', () => {
    const { status, stderr } = bootstrap(['tset']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/usage: .*demo\|test\|/);
  });
});
