import { program } from '../../scripts/tsup.ts';

export default program({ inside: ['@vm-tools/daemon', '@vm-tools/vsock'] });
