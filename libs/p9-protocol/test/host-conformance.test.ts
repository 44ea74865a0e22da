import { describe, test } from 'vitest';
import { describeFileSystem } from '../src/conformance/index.ts';
import { scratchDirectory } from './scratch-directory.ts';
import { serveHostToClient, transports } from './served.ts';

for (const transport of transports) {
  const serveIt = () => serveHostToClient(transport, { root: scratchDirectory() });
  describeFileSystem(`HostFileSystem by ${transport}`, serveIt, { describe, test });
}

describeFileSystem(
  'HostFileSystem with the smallest usual msize',
  () => serveHostToClient('stream', { root: scratchDirectory() }, { msize: 4096 }),
  { describe, test },
);

// All answers come late here.
for (const transport of transports) {
  describeFileSystem(
    `a filesystem of promises by ${transport}`,
    () => serveHostToClient(transport, { root: scratchDirectory() }, { isPromised: true }),
    { describe, test },
  );
}
