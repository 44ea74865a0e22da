import { program } from '../../scripts/tsup.ts';

// All but the native code: a guest's root file system has no more files than it must.
export default program({
  entry: ['src/vm-syslog.ts', 'src/vmlog-forwarder.ts'],
  inside: [/^@vm-tools\/(?!linux)/, /^@connectrpc\//, /^@bufbuild\//],
});
