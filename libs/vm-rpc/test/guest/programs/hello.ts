import { type ConnectRouter, createClient, type ServiceImpl } from '@connectrpc/connect';
import { CrashListener } from '../../../src/gen/vm_crash_pb.ts';
import { Maitred } from '../../../src/gen/vm_guest_pb.ts';
import { callerOf, createVmTransport, serveRpc } from '../../../src/index.ts';

/** A server that tells who called, how long a minidump was, and answers `shutdown` when its caller gives up. */
export function hello(more: Partial<ServiceImpl<typeof Maitred>> = {}): (router: ConnectRouter) => void {
  return (router) => {
    router.service(Maitred, {
      getKernelVersion: (_, context) => ({ kernelRelease: JSON.stringify(callerOf(context)) }),
      resetIPv6: () => ({}),
      shutdown: (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ...more,
    });
    router.service(CrashListener, {
      sendCrashReport: ({ minidump, metadata }) => {
        if (String(minidump.length) !== metadata['size']) throw new Error(`${minidump.length} bytes came`);
        return {};
      },
    });
  };
}

/** The other process of a check. */
export async function serveForEver(address: string): Promise<void> {
  await serveRpc(address, hello());
  process.stdout.write('serves\n');
}

/** Prints what a server that says `hello` knows of its caller. */
export async function askWhoIAm(address: string): Promise<void> {
  await using transport = createVmTransport(address);
  process.stdout.write((await createClient(Maitred, transport).getKernelVersion({})).kernelRelease);
}
