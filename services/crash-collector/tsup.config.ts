import { library } from '../../scripts/tsup.ts';

// One CommonJS file for each program with everything inside but the native code: the kernel holds a process that has crashed until its
// handler has started and read it, and every file and every ES module takes a part of a millisecond.
export default library({
  entry: ['src/main.ts', 'src/notifier.ts'],
  format: ['cjs'],
  dts: false,
  tsup: {
    splitting: false,
    treeshake: false,
    noExternal: [/^@vm-tools\/(?!linux)/, /^@connectrpc\//, /^@bufbuild\//],
    esbuildOptions: (options) => {
      options.conditions = ['@vm-tools/source'];
    },
  },
});
