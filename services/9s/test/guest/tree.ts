import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url));
/** Installed by package-lock.json, so the same everywhere: some 670 files of 33 MB. `.bin` is all symbolic links. */
const installed = ['typescript', 'typedoc', 'yaml', '@types/node', '.bin'];

/** Makes a folder of real files, and of what is rare among them. Times are whole seconds, as the archive and the client have them. */
export function makeTree(root: string): void {
  mkdirSync(join(root, 'real', '@types'), { recursive: true });
  for (const name of installed) {
    execFileSync('cp', ['-a', '--no-preserve=xattr', join(modules, name), join(root, 'real', name)]);
  }
  const odd = join(root, 'odd');
  const at = (name: string | Buffer) => Buffer.concat([Buffer.from(`${odd}/`), Buffer.from(name)]);
  mkdirSync(odd);
  mkdirSync(at('links'));
  writeFileSync(at('one'), 'three names, one file');
  linkSync(at('one'), at('two'));
  linkSync(at('one'), at('links/three'));
  symlinkSync('one', at('to-one'));
  linkSync(at('to-one'), at('links/to-one-again'));
  symlinkSync('/an/absolute/target that is not there', at('dangling'));
  symlinkSync('x/'.repeat(2040), at('to-far-away'));
  symlinkSync(Buffer.from([0x2f, 0xff, 0xfe]), at('to-bytes'));
  writeFileSync(at('n'.repeat(255)), 'the longest name');
  writeFileSync(at(Buffer.from('not-utf-8-\xff\xe9', 'latin1')), 'a name of bytes');
  writeFileSync(at('line\nbreak and \\ and "quotes"'), '');
  mkdirSync(at(`${'deep/'.repeat(59)}deep`), { recursive: true });
  writeFileSync(at(`${'deep/'.repeat(60)}file`), 'below 60 folders');
  writeFileSync(at('empty'), '');
  writeFileSync(at('zeros'), Buffer.alloc(3_000_001));
  mkdirSync(at('empty-folder'));
  execFileSync('mkfifo', [`${odd}/fifo`]);
  execFileSync('mknod', [`${odd}/null`, 'c', '1', '3']);
  execFileSync('mknod', [`${odd}/disk`, 'b', '259', '70000']);
  for (const mode of [0, 0o400, 0o644, 0o755, 0o2755, 0o4755, 0o6711, 0o1777, 0o7777]) {
    const name = mode.toString(8);
    writeFileSync(at(`file-${name}`), name);
    mkdirSync(at(`folder-${name}`));
    writeFileSync(at(`folder-${name}/in`), name);
    // The owner first: a change of owner takes set-id bits away.
    chownSync(at(`file-${name}`), 1000, 1001);
    chownSync(at(`folder-${name}`), 4_000_000_000, 0);
    chmodSync(at(`file-${name}`), mode);
    chmodSync(at(`folder-${name}`), mode);
  }
  lchownSync(at('dangling'), 7, 8);
  for (const [name, seconds] of [
    ['empty', 1],
    ['zeros', 2_147_483_647],
    ['one', 4_102_444_800],
    ['to-one', 1_000_000_000],
    ['fifo', 86_400],
    ['empty-folder', 946_684_800],
  ] as const) {
    lutimesSync(at(name), seconds, seconds);
  }
  // Whole seconds for all, folders too; deepest first, since a time of a folder changes with what is in it.
  for (const path of pathsBelow(root).reverse()) {
    const { mtimeMs } = lstatSync(path);
    lutimesSync(path, Math.floor(mtimeMs / 1000), Math.floor(mtimeMs / 1000));
  }
}

/** Everything that can be seen of a folder and of what is below it, one line each. */
export function describeTree(root: string): string[] {
  const first = new Map<bigint, string>();
  return pathsBelow(root).map((path) => {
    const stats = lstatSync(path, { bigint: true });
    const name = path.subarray(Buffer.byteLength(root)).toString('latin1');
    const link = stats.isDirectory() ? undefined : first.get(stats.ino);
    if (!stats.isDirectory() && link === undefined) first.set(stats.ino, name);
    return JSON.stringify({
      name,
      mode: stats.mode.toString(8),
      owner: `${stats.uid}:${stats.gid}`,
      modified: `${stats.mtimeNs}`,
      ...(stats.isDirectory() ? {} : { size: `${stats.size}`, names: `${stats.nlink}` }),
      ...(link === undefined ? {} : { sameAs: link }),
      ...(stats.isFile() ? { contents: createHash('sha256').update(readFileSync(path)).digest('hex') } : {}),
      ...(stats.isSymbolicLink() ? { target: readlinkSync(path, 'buffer').toString('latin1') } : {}),
      ...(stats.isCharacterDevice() || stats.isBlockDevice() ? { device: `${stats.rdev}` } : {}),
    });
  });
}

/** The folder and all below it, by name; folders before what is in them. */
function pathsBelow(root: string | Buffer): Buffer[] {
  const path = Buffer.from(root);
  if (!lstatSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare);
  return [path, ...names.flatMap((name) => pathsBelow(Buffer.concat([path, Buffer.from('/'), name])))];
}
