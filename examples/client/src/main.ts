import { createReadStream, createWriteStream } from 'node:fs';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Client, OpenFlags, P9Error, type RemoteNode } from '@vm-tools/p9-protocol';

const usage = `usage: main.ts ADDRESS ls [PATH]
       main.ts ADDRESS cat PATH...
       main.ts ADDRESS get PATH [FILE]
       main.ts ADDRESS put FILE [PATH]
ADDRESS is unix:/PATH or tcp:HOST:PORT, where 9s or another server of 9P2000.L listens.`;

/** Bytes asked for at once: the client splits them into messages, which are all under way together. */
const PART = 1 << 20;

const [address, command, ...paths] = process.argv.slice(2);
const commands: Record<string, (root: RemoteNode) => Promise<void>> = { ls, cat, get, put };
const run = Object.hasOwn(commands, command ?? '') ? commands[command as string] : undefined;
const target = /^(?:unix:(?<path>.+)|tcp:(?<host>.+):(?<port>\d+))$/.exec(address ?? '')?.groups;
const needed = command === 'ls' ? 0 : 1;
if (run === undefined || target === undefined || paths.length < needed) {
  console.error(usage);
  process.exit(64);
}

try {
  const stream =
    target['path'] === undefined ? connect(Number(target['port']), target['host']) : connect(target['path']);
  await using client = await Client.connect({ stream, msize: PART });
  await run(await client.attach({ uname: process.env['USER'] ?? '' }));
} catch (error) {
  // The server's errors are errnos with a request, the connection's say what became of it: both are for people to read.
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof P9Error ? 1 : 69;
}

async function ls(root: RemoteNode): Promise<void> {
  const [path = ''] = paths;
  const directory = await root.walk(path);
  const lines: { name: string; text: string }[] = [];
  for await (const entry of directory.readdir()) {
    const name = String(entry.name);
    if (name === '.' || name === '..') continue;
    // The bytes themselves, which need not be UTF-8.
    const { mode, size, mtime } = await directory.getattr([entry.name.toBytes()]);
    const time = new Date(mtime.seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');
    lines.push({
      name,
      text: `${mode.toString(8).padStart(6)} ${String(size).padStart(12)} ${time} ${name}`,
    });
  }
  lines.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { text } of lines) console.log(text);
}

async function cat(root: RemoteNode): Promise<void> {
  for (const path of paths) await pipeline(contentOf(root, path), process.stdout, { end: false });
}

async function get(root: RemoteNode): Promise<void> {
  const [path = '', file = basename(path)] = paths;
  await pipeline(contentOf(root, path), createWriteStream(file));
}

/** A file of any size, a part at a time. */
async function* contentOf(root: RemoteNode, path: string): AsyncGenerator<Uint8Array> {
  const file = await root.open(path);
  try {
    for (let offset = 0; ; ) {
      const part = await file.read(offset, PART);
      if (part.length > 0) yield part;
      if (part.length < PART) return;
      offset += part.length;
    }
  } finally {
    await file.clunk();
  }
}

async function put(root: RemoteNode): Promise<void> {
  const [file = '', path = basename(file)] = paths;
  const source = createReadStream(file, { highWaterMark: PART });
  const flags = OpenFlags.writeOnly | OpenFlags.truncate;
  const target = await root.create(path, { flags, mode: 0o644 });
  let offset = 0;
  try {
    for await (const part of source as AsyncIterable<Uint8Array>) {
      await target.write(part, offset);
      offset += part.length;
    }
    await target.fsync();
  } finally {
    await target.clunk();
  }
}
