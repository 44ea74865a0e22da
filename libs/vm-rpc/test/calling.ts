/** A process of its own that makes a call to the address it is given, and closes nothing: it must end all the same. */
import { createClient } from '@connectrpc/connect';
import { Maitred } from '../src/gen/vm_guest_pb.ts';
import { createVmTransport } from '../src/index.ts';

await createClient(Maitred, createVmTransport(String(process.argv[2]))).resetIPv6({});
