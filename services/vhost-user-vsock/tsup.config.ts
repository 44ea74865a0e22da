import { library } from '../../scripts/tsup.ts';

// One CommonJS file with everything inside but the device, which has a file of its own for its thread, because of what start-up
// costs: see services/9s.
export default library({
  entry: ['src/main.ts'],
  format: ['cjs'],
  dts: false,
  tsup: {
    splitting: false,
    treeshake: false,
    noExternal: ['@vm-tools/daemon', '@vm-tools/vmm', '@vm-tools/vsock'],
    esbuildOptions: (options) => {
      options.conditions = ['@vm-tools/source'];
    },
  },
});
