/** A process of its own that serves at the address it is given, and says so: to be killed, and to be suspended. */
import { Maitred } from '../src/gen/vm_guest_pb.ts';
import { serveRpc } from '../src/index.ts';

await serveRpc(String(process.argv[2]), (router) => {
  router.service(Maitred, {
    resetIPv6: () => ({}),
    shutdown: () => {
      process.send?.('called');
      return new Promise(() => undefined);
    },
  });
});
process.send?.('serves');
