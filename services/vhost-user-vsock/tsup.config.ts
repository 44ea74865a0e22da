import { program } from '../../scripts/tsup.ts';

// The device stays outside: it has a file of its own for its thread.
export default program({ inside: ['@vm-tools/daemon', '@vm-tools/vmm', '@vm-tools/vsock'] });
