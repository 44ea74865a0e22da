import { library } from '../../scripts/tsup.ts';

// One CommonJS file, with our own packages inside from their sources: `9s --help` takes 3 ms more than `node -e 0`. As ES
// modules it takes 13 ms more: each file costs 0.7 ms, and importing node:fs and node:util, whose lazy parts are then
// loaded to be exported, 3 ms. What a lazy import names is still evaluated only when it is reached.
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
