import { program } from '../../scripts/tsup.ts';

// All but the native code: the kernel holds a process that has crashed until its handler has started and read it.
export default program({
  entry: ['src/main.ts', 'src/notifier.ts'],
  inside: [/^@vm-tools\/(?!linux)/, /^@connectrpc\//, /^@bufbuild\//],
});
