import { createServer } from 'node:net';
import { MemoryFileSystem, serve } from '@vm-tools/p9-protocol';

// A program: serves `greeting` with the text of the second argument on the Unix socket of the first, then says so.
const [, , socket = '', greeting = ''] = process.argv;
const fs = new MemoryFileSystem({ tree: { greeting } });
createServer((connection) => void serve(connection, fs)).listen(socket, () => console.log('listening'));
