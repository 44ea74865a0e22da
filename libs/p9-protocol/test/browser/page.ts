import { describeFileSystem } from '../../src/conformance/index.ts';
import { Client, type MessagePortLike, messagePortStream, OpenFlags } from '../../src/index.ts';

/* Runs in a page of a browser: the client of what `server.ts` serves in a worker. Only what browsers have may be used here. */

export interface Report {
  greeting: string;
  bytesWritten: number;
  bytesRead: number;
  /** Where what was read differs from what was written; -1: nowhere. */
  differsAt: number;
  names: string[];
  /** Globals of Node's that there are here. */
  globals: string[];
}

const SIZE = 8 << 20;

function contentOf(index: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + index) & 0xff;
  return bytes;
}

/** Writes and reads several megabytes, three files at a time. */
export async function exchange(port: MessagePortLike): Promise<Report> {
  await using client = await Client.connect({ stream: messagePortStream(port) });
  const root = await client.attach();
  const greeting = new TextDecoder().decode(await root.readFile('greeting'));
  const contents = [0, 1, 2].map((index) => contentOf(index, SIZE + index));
  await Promise.all(contents.map((content, index) => root.writeFile(`file ${index}`, content)));
  const read = await Promise.all(contents.map((_, index) => root.readFile(`file ${index}`)));
  const differences = contents.map((content, index) => differenceOf(content, read[index] as Uint8Array));
  const appended = await root.open('greeting', { flags: OpenFlags.writeOnly | OpenFlags.append });
  await appended.write(new TextEncoder().encode('and from the page\n'), 0);
  await appended.clunk();
  const names: string[] = [];
  for await (const { name } of root.readdir()) names.push(String(name));
  return {
    greeting: greeting + new TextDecoder().decode(await root.readFile('greeting')),
    bytesWritten: contents.reduce((sum, { length }) => sum + length, 0),
    bytesRead: read.reduce((sum, { length }) => sum + length, 0),
    differsAt: Math.max(...differences),
    names,
    globals: ['process', 'Buffer', 'require', 'setImmediate', 'module'].filter((name) => name in globalThis),
  };
}

function differenceOf(a: Uint8Array, b: Uint8Array): number {
  return a.length === b.length ? a.findIndex((byte, at) => byte !== b[at]) : Math.min(a.length, b.length);
}

/** Runs the conformance suite, each check over another port: how many passed, and what is wrong with the others. */
export async function conform(...ports: MessagePortLike[]): Promise<{ passed: number; failed: string[] }> {
  const tests: [string, () => Promise<void>][] = [];
  const runner = {
    describe: (_: string, define: () => void) => define(),
    test: (name: string, run: () => Promise<void>) => tests.push([name, run]),
  };
  const serveIt = async () => {
    const port = ports.pop();
    if (port === undefined) throw new Error('there are more checks than ports');
    const client = await Client.connect({ stream: messagePortStream(port) });
    const end = async () => client.close();
    return { client, root: await client.attach(), end };
  };
  describeFileSystem('MemoryFileSystem in a worker', serveIt, runner);
  const result = { passed: 0, failed: [] as string[] };
  for (const [name, run] of tests) {
    try {
      await run();
      result.passed++;
    } catch (error) {
      result.failed.push(`${name}: ${error}`);
    }
  }
  return result;
}
