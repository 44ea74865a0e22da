// Records regions of the kernel of guest/kernel, and what its next boot shows of them, as data of pairs.test.ts:
//   node --conditions=@vm-tools/source libs/pstore/test/guest/record-pairs.ts
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { builtKernelFolder } from '../pairs.ts';
import { PersistentRam } from './persistent-ram.ts';
import { scenes } from './scenes.ts';

/** Names of scenes, by names of files. */
const recorded: Readonly<Record<string, string>> = {
  'lz4hc-ftrace': 'compressed with lz4hc',
  'lzo-ecc16': 'compressed with lzo, ecc=16',
  '842-ecc16': 'compressed with 842, ecc=16',
  'wrapped-ecc16': 'a console that has wrapped, ecc=16',
  'pmsg-wrapped': 'messages that have wrapped, ecc=0',
  oopses: 'three oopses and a panic',
  'cut-oopses': 'oopses in zones that they do not fit into',
  'three-boots': 'three boots, the last of which has little to tell',
  uneven: 'zones that do not come out even',
};

rmSync(builtKernelFolder, { recursive: true, force: true });
for (const [name, title] of Object.entries(recorded)) {
  const scene = scenes.find((each) => each.name === title);
  if (!scene) throw new Error(`there is no scene "${title}"`);
  using ram = new PersistentRam(scene);
  for (const script of scene.boots) await ram.die(script);
  const { region, commandLine } = ram;
  const folder = `${builtKernelFolder}${name}.files/`;
  mkdirSync(folder, { recursive: true });
  for (const file of await ram.nextBoot()) writeFileSync(`${folder}${file.name}`, file.data);
  writeFileSync(`${builtKernelFolder}${name}.bin.gz`, gzipSync(region, { level: 9 }));
  writeFileSync(`${builtKernelFolder}${name}.params`, commandLine);
  process.stdout.write(`${name}: ${title}\n`);
}
