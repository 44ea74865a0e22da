import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { completionScript, helpText, manualPage } from '@vm-tools/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { program } from '../src/program.ts';
import { Bench } from './nine-s.ts';

const share = (name: string) => fileURLToPath(new URL(`../share/${name}`, import.meta.url));
let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clear());

describe('what 9s tells of itself', () => {
  it('is the help text that it was', async () => {
    const { code, stdout, stderr } = await bench.start(['--help']).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expect(stdout).toMatchFileSnapshot('snapshots/help.txt');
    expect(helpText(program)).toBe(stdout);
  });

  // The files that are published; `vitest -u` writes them anew.
  it('is in the man page and the completions that are published', async () => {
    await expect(manualPage(program)).toMatchFileSnapshot(share('9s.8'));
    await expect(completionScript(program, 'bash')).toMatchFileSnapshot(share('completions/9s.bash'));
    await expect(completionScript(program, 'zsh')).toMatchFileSnapshot(share('completions/_9s'));
  });

  it('is its version', async () => {
    expect(await bench.start(['--version']).ended).toMatchObject({
      code: 0,
      stdout: '9s 0.1.0\n',
      stderr: '',
    });
  });
});

describe('a wrong command line', () => {
  const root = ['--root', '/'];
  const listen = 'unix:/nonexistent/s';

  it.each([
    [[listen], '--root: is missing; write --root DIR, or --export NAME=DIR for each of several directories'],
    [
      [...root, '--export', 'a=/', listen],
      '--root: is served under any name, and --export under its own; give each directory a name by --export NAME=DIR',
    ],
    [['--export', 'a', listen], '--export: "a" is not a name and a directory; write NAME=DIR, as in'],
    [['--export', '=/srv', listen], '--export: "=/srv" is not a name and a directory'],
    [['--export', 'a=', listen], '--export: "a=" is not a name and a directory'],
    [
      ['--export', 'a=/srv', '--export', 'a=/usr', listen],
      '--export: two directories are named "a"; give each a name of its own',
    ],
    [[...root, '--squash', '1000', listen], '--squash: "1000" is not a pair; write UID:GID, as in 1000:1000'],
    [
      root,
      'LISTEN: is missing, and the service manager passed no socket; write unix:/PATH after the options',
    ],
    [[...root, listen, listen], '"unix:/nonexistent/s": is more than LISTEN; leave it out, or put quotes'],
    [[...root, '--readonly', listen], '--readonly: there is no such option; did you mean --read-only?'],
    [[...root, '--read-only=1', listen], '--read-only: takes no value, but was given "1"'],
    [
      [...root, '--uid-map', '1000', listen],
      '--uid-map: "1000" is not a pair; write HOST:CLIENT, as in 1000:0',
    ],
    [[...root, '--uid-map', '1:2:3', listen], '--uid-map: "1:2:3" is not a pair'],
    [
      [...root, '--uid-map', 'root:0', listen],
      '--uid-map: "root" is not a whole number; write a number from 0 to',
    ],
    [[...root, '--gid-map', '0:4294967295', listen], '--gid-map: "4294967295" is too large'],
    [
      [...root, '--uid_map', '1:2', '--uid-map', '1:3', listen],
      '--uid-map: host id 1 is mapped twice; map each id once',
    ],
    [[...root, '--gid-map', '1:2', '--gid-map', '3:2', listen], '--gid-map: client id 2 is mapped twice'],
    [
      [...root, '--socket_gid', '-1', listen],
      '--socket-gid: is followed by "-1", which looks like an option',
    ],
    [[...root, '--socket-gid=-1', listen], '--socket-gid: "-1" is not a whole number'],
    [
      [...root, '--socket-gid', '0', 'tcp:127.0.0.1:0'],
      '--socket-gid: only a socket that is made at unix:/PATH can',
    ],
    [
      [...root, '--msize', '1M', listen],
      '--msize: "1M" is not a whole number; write a number from 4096 to 67108864',
    ],
    [[...root, '--msize', '512', listen], '--msize: "512" is too small'],
    [
      [...root, '--max-connections', '0', listen],
      '--max-connections: "0" is too small; write a number from 1 to 1024',
    ],
    [
      [...root, '--log-format', 'xml', listen],
      '--log-format: "xml" is none of its values; write text or json',
    ],
    [[...root, '--log-level', 'all', listen], '--log-level: "all" is none of its values'],
    [
      [...root, '/run/s'],
      'LISTEN: "/run/s" is not an address: no kind of address stands before a colon; write unix:/run/s',
    ],
    [
      [...root, 'unix:s'],
      'LISTEN: "unix:s" is not an address: the path "s" is relative; write an absolute path',
    ],
  ])('%j ends with 64 and says what to do', async (args, message) => {
    const { code, stdout, stderr } = await bench.start(args).ended;
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain(`9s: ${message}`);
    expect(stderr).toMatch(/\nTry '9s --help'\.\n$/);
  });
});

describe('a command line that names what is not as it should be', () => {
  it.each([
    ['/nonexistent', 78, "--root: ENOENT: no such file or directory, open '/nonexistent'; name a directory"],
    ['/proc/self/status', 78, '--root: ENOTDIR'],
  ])('ends with 78: a root of %s', async (root, code, message) => {
    const ended = await bench.start(['--root', root, bench.listen]).ended;
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(`9s error: ${message}`);
  });

  it('ends with 78: one of several directories that is not there', async () => {
    const args = ['--export', `a=${bench.root}`, '--export', 'b=/nonexistent', bench.listen];
    const ended = await bench.start(args).ended;
    expect(ended.code).toBe(78);
    expect(ended.stderr).toContain(
      "9s error: --export: ENOENT: no such file or directory, open '/nonexistent'",
    );
  });

  it('ends with 77 when anyone but root is to act as users', async () => {
    // He may read the sources, wherever they lie.
    const drop =
      'set -- setpriv --reuid 12345 --regid 12345 --clear-groups --inh-caps +dac_override --ambient-caps +dac_override "$@"';
    const args = ['--root', '/', '--act-as-user', 'unix-abstract:vm-tools-9s-never'];
    const ended = await bench.start(args, { before: drop }).ended;
    expect(ended.code).toBe(77);
    expect(ended.stderr).toContain("--act-as-user: only root can act as its clients' users");
  });

  it.each([
    ['vsock:16384', 64, '--accept-cid: is missing: every guest could connect; write --accept-cid CID for'],
    ['hybrid:/run/vm.sock:16384', 69, 'this version does not serve hybrid addresses'],
    ['tcp:0.0.0.0:0', 64, '0.0.0.0:0 can be reached from other machines'],
    ['unix-fd:1000', 78, 'EBADF'],
    [
      'unix-fd:0',
      78,
      'cannot listen on unix-fd:0: this descriptor is not a socket; pass a stream socket that listens',
    ],
    ['unix:/nonexistent/s', 73, 'make its directory first'],
  ])('ends with its own code: listening on %s, with %i', async (listen, code, message) => {
    const ended = await bench.start(['--root', bench.root, listen]).ended;
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(message);
  });

  it('ends with 73 and leaves it alone: something else than a socket', async () => {
    writeFileSync(bench.socket, 'precious');
    const ended = await bench.start(['--root', bench.root, bench.listen]).ended;
    expect(ended.code).toBe(73);
    expect(ended.stderr).toContain('something else than a socket is there');
  });
});
