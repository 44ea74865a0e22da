import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { cached } from './cache.ts';
import { dependencyOf, unpackPackages } from './debian.ts';
import { type ModuleIndex, moduleName, readModuleInfo } from './module-index.ts';
import { type ToolOptions, toolPath } from './tool.ts';

/** Debian's kernel, unpacked. */
export interface GuestKernel {
  /** Uncompressed ELF image with a PVH entry: no second is lost to decompression on an emulated CPU. */
  readonly vmlinux: string;
  /** Folder of the modules; ModuleInfo.path is relative to it. */
  readonly modulesFolder: string;
  readonly modules: ModuleIndex;
}

/** Not the cloud flavour: it has no 9p. */
const METAPACKAGE = 'linux-image-amd64';
const FORMAT = '1';

/** The kernel that `linux-image-amd64` stood for when it was first asked for. */
export async function guestKernel(options: ToolOptions = {}): Promise<GuestKernel> {
  const folder = await cached('kernel', [METAPACKAGE, FORMAT], async (partial) => {
    const unpacked = join(partial, 'unpacked');
    await mkdir(unpacked);
    await unpackPackages([await dependencyOf(METAPACKAGE, 'linux-image-', options)], unpacked, options);
    const image = (await readdir(join(unpacked, 'boot'))).find((file) => file.startsWith('vmlinuz-'));
    if (image === undefined) throw new Error(`the kernel package has no boot/vmlinuz-*`);
    await extractVmlinux(join(unpacked, 'boot', image), join(partial, 'vmlinux'));
    const [release = ''] = await readdir(join(unpacked, 'lib/modules'));
    await rename(join(unpacked, 'lib/modules', release), join(partial, 'modules'));
    await rm(unpacked, { recursive: true });
    await writeFile(
      join(partial, 'modules.json'),
      JSON.stringify(await indexModules(join(partial, 'modules'))),
    );
  });
  return {
    vmlinux: join(folder, 'vmlinux'),
    modulesFolder: join(folder, 'modules'),
    modules: JSON.parse(await readFile(join(folder, 'modules.json'), 'utf8')) as ModuleIndex,
  };
}

async function indexModules(folder: string): Promise<ModuleIndex> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const modules: ModuleIndex['modules'] = {};
  for (const entry of entries.filter((each) => each.isFile() && each.name.endsWith('.ko'))) {
    const path = join(entry.parentPath, entry.name);
    Object.assign(modules, {
      [moduleName(path)]: readModuleInfo(relative(folder, path), await readFile(path)),
    });
  }
  const builtin = await readFile(join(folder, 'modules.builtin'), 'utf8');
  return {
    modules,
    builtin: builtin
      .split('\n')
      .filter((line) => line !== '')
      .map(moduleName),
  };
}

/**
 * Takes the ELF image out of a bzImage that was compressed with xz, as Debian's is. Source: the kernel's
 * Documentation/arch/x86/boot.rst (setup_sects, payload_offset, payload_length).
 */
async function extractVmlinux(bzImage: string, target: string): Promise<void> {
  const file = await open(bzImage);
  const header = Buffer.alloc(0x260);
  try {
    await file.read(header, 0, header.length, 0);
    const start = ((header[0x1f1] || 4) + 1) * 512 + header.readUInt32LE(0x248);
    const magic = Buffer.alloc(6);
    await file.read(magic, 0, 6, start);
    if (magic.toString('latin1') !== '\xfd7zXZ\0') throw new Error(`${bzImage} is not compressed with xz`);
    // The four bytes after the xz stream are the length of the image.
    const end = start + header.readUInt32LE(0x24c) - 5;
    await pipeThrough(createReadStream(bzImage, { start, end }), target);
  } finally {
    await file.close();
  }
  if (!existsSync(target)) throw new Error(`no ${target}`);
}

async function pipeThrough(source: NodeJS.ReadableStream, target: string): Promise<void> {
  const { pipeline } = await import('node:stream/promises');
  const xz = spawn(toolPath('xz'), ['--decompress', '--stdout'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const status = new Promise<number | null>((resolve, reject) => xz.on('error', reject).on('close', resolve));
  await Promise.all([pipeline(source, xz.stdin), pipeline(xz.stdout, createWriteStream(target)), status]);
  if ((await status) !== 0) throw new Error(`xz ended with ${await status} on the kernel image`);
}
