import { program } from '../../scripts/tsup.ts';

export default program({ inside: ['@vm-tools/daemon', '@vm-tools/pstore', '@vm-tools/vsock', 'fzstd'] });
