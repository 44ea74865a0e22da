import { MemoryFileSystem, messagePortStream, serve } from '@vm-tools/p9-protocol';

// The server: one filesystem in memory, for every port that comes.
const fs = new MemoryFileSystem({
  tree: {
    'read me.txt': 'These files are in the memory of a worker. The page reads and writes them over 9P.\n',
    'poem.txt': 'So much depends\nupon\n',
  },
});

addEventListener('message', ({ ports: [port] }) => {
  if (port !== undefined) serve(messagePortStream(port), fs);
});
