import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { serve } from '@vm-tools/p9-protocol';
import { type Json, JsonFileSystem } from './json-file-system.ts';

const [path, socketPath] = process.argv.slice(2);
if (path === undefined || socketPath === undefined) {
  console.error('usage: main.ts DOCUMENT.json SOCKET');
  process.exit(64);
}

const document = JSON.parse(readFileSync(path, 'utf8')) as Json;
if (typeof document !== 'object' || document === null) {
  console.error(`${path}: the document must be an object or an array`);
  process.exit(65);
}

// Changes that come together are saved together; whoever reads the document finds the old one or the new one.
let isDirty = false;
const fs = new JsonFileSystem(document, () => {
  if (!isDirty) setImmediate(save);
  isDirty = true;
});

function save(): void {
  isDirty = false;
  writeFileSync(`${path}.new`, `${JSON.stringify(document, undefined, 2)}\n`);
  renameSync(`${path}.new`, path as string);
}

// Whoever may connect may change the document.
process.umask(0o077);
const connections = new Set<{ shutdown(): void }>();
const server = createServer((socket) => {
  const connection = serve(socket, fs);
  connections.add(connection);
  void connection.ended.then(() => connections.delete(connection));
});
server.listen(socketPath, () => console.log(`mount -t 9p -o trans=unix,version=9p2000.L ${socketPath} /mnt`));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close();
    for (const connection of connections) connection.shutdown();
    if (isDirty) save();
    rmSync(socketPath, { force: true });
  });
}
