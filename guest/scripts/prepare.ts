// Builds ahead what guests are made of: `node --conditions=@vm-tools/source guest/scripts/prepare.ts [--node] [PACKAGE...]`.
import { parseArgs } from 'node:util';
import { prepareGuest } from '../src/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'boolean' },
    machine: { type: 'string' },
    module: { type: 'string', multiple: true },
  },
});
const { machine } = values;
if (machine !== undefined && machine !== 'microvm' && machine !== 'q35')
  throw new RangeError(`--machine ${machine}: it is microvm or q35`);
const started = performance.now();
const prepared = await prepareGuest({
  packages: positionals,
  node: values.node ?? false,
  modules: values.module ?? [],
  ...(machine ? { machine } : {}),
});
for (const [name, path] of Object.entries(prepared)) if (path !== undefined) console.log(`${name}\t${path}`);
console.error(`in ${((performance.now() - started) / 1000).toFixed(1)} s`);
