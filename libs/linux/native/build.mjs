// Compiles the addon with the system's C++ compiler, against the headers of the npm package node-api-headers
// (never those of the machine's Node.js); a no-op when nothing changed since.
//
//   node native/build.mjs                           build/Release/linux.node, for this machine
//   node native/build.mjs --prebuild                prebuilds/linux-<arch>/@vm-tools+linux.<libc>.node
//        --arch=arm64 --libc=musl --out=FILE        another target; CXX, CC and CXXFLAGS choose the compiler
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const native = import.meta.dirname;
const { values: options } = parseArgs({
  options: {
    prebuild: { type: 'boolean', default: false },
    arch: { type: 'string', default: process.arch },
    libc: { type: 'string', default: 'glibc' },
    out: { type: 'string' },
  },
});
const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers');
const cxx = process.env.CXX ?? 'g++';
const cc = process.env.CC ?? 'gcc'; // links, so that nothing depends on libstdc++
const more = (process.env.CXXFLAGS ?? '').split(' ').filter(Boolean);
const flags = [
  '-std=c++20 -O2 -fPIC -fno-exceptions -fno-rtti -fvisibility=hidden -fno-asynchronous-unwind-tables',
  '-Wall -Wextra -Werror -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DNAPI_VERSION=9',
].flatMap((line) => line.split(' '));
const linking = ['-shared', '-Wl,-z,relro,-z,now', ...(options.prebuild ? ['-s'] : [])];
const compile = [...flags, ...more, '-isystem', headers, '-c', join(native, 'addon.cc')];

const output = resolve(
  options.out ??
    (options.prebuild
      ? join(native, `../prebuilds/linux-${options.arch}/@vm-tools+linux.${options.libc}.node`)
      : join(native, '../build/Release/linux.node')),
);

const hash = createHash('sha256').update(JSON.stringify([cxx, cc, compile, linking]));
for (const name of readdirSync(native).sort()) hash.update(name).update(readFileSync(join(native, name)));
const digest = hash.digest('hex');

/** What was written beside a binary when it was built. */
function builtDigest() {
  try {
    readFileSync(output);
    return readFileSync(`${output}.sha256`, 'utf8');
  } catch {
    return undefined;
  }
}

if (process.platform === 'linux' && builtDigest() !== digest) {
  mkdirSync(dirname(output), { recursive: true });
  const object = `${output}.${process.pid}.o`;
  const linked = `${output}.${process.pid}`;
  try {
    execFileSync(cxx, [...compile, '-o', object], { stdio: 'inherit' });
    execFileSync(cc, [...linking, ...more, object, '-o', linked], { stdio: 'inherit' });
    renameSync(linked, output); // never in place: it may be loaded by someone
    writeFileSync(`${output}.sha256`, digest);
  } finally {
    execFileSync('rm', ['-f', object, linked]);
  }
}
