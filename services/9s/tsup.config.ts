import { library } from '../../scripts/tsup.ts';

// One CommonJS file, with our own packages inside from their sources, because of what start-up costs: an empty program 25 ms,
// `9s --help` 30 ms. As ES modules it took 37 ms: each file costs most of a millisecond, and importing node:fs and node:util
// loads their lazy parts too, to export them. What a lazy import names is still evaluated only when it is reached.
export default library({
  entry: ['src/main.ts'],
  format: ['cjs'],
  dts: false,
  tsup: {
    splitting: false,
    treeshake: false,
    noExternal: ['@vm-tools/daemon', '@vm-tools/vsock'],
    esbuildOptions: (options) => {
      options.conditions = ['@vm-tools/source'];
    },
  },
});
