import { library } from '../../scripts/tsup.ts';

// One CommonJS file with our own packages inside, because of what start-up costs: see services/9s.
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
