import { library } from '../../scripts/tsup.ts';

export default [
  library({ entry: ['src/index.ts', 'src/host/index.ts', 'src/synth/index.ts'] }),
  // The commands are a CommonJS file each, because of what start-up costs: every file and every ES module takes a part of a millisecond.
  library({
    entry: ['src/host/core2minidump.ts', 'src/host/minidump-inspect.ts'],
    format: ['cjs'],
    dts: false,
    tsup: { splitting: false, treeshake: false },
  }),
].flat();
