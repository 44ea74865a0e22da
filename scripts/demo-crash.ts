// The part of the demo in which a program of the guest crashes, and its minidump comes to this machine.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { guestProgram } from '@vm-tools/guest';
import { repository } from './workspaces.ts';

const editor = `
static int length(const char *text) { int count = 0; while (text[count]) count++; return count; }
int main(void) { return length(0); }
`;

/** A program that crashes, compiled into a folder of this machine, and a crash_collector that reports to a port: as files for the guest. */
export function crashFiles(folder: string, port: number): Record<string, string | Uint8Array> {
  const program = join(folder, 'editor');
  execFileSync('gcc', ['-O0', '-static', '-x', 'c', '-o', program, '-'], { input: editor });
  const source = join(repository, 'services/crash-collector/src/main.ts');
  const { path, files } = guestProgram(source, 'crash_collector');
  const command = `#!/bin/sh\nexec /usr/local/bin/node ${path} --host vsock:host:${port} "$@"\n`;
  return { ...files, '/opt/editor': program, '/usr/bin/crash_collector': Buffer.from(command) };
}

/** Waits for the report that comes into a directory, and shows what happened. */
export async function showCrash(directory: string): Promise<void> {
  const reports = () => (existsSync(directory) ? readdirSync(directory) : []);
  while (!reports().some((name) => name.endsWith('.meta'))) await delay(20);
  const dump = join(directory, reports().find((name) => name.endsWith('.dmp')) as string);
  const inspect = join(repository, 'libs/minidump/src/host/minidump-inspect.ts');
  const output = execFileSync(process.execPath, ['--conditions=@vm-tools/source', inspect, dump], {
    encoding: 'utf8',
  });
  console.log(`    host$ minidump-inspect ${dump} | head -n 2`);
  for (const line of output.split('\n').slice(0, 2)) console.log(`    ${line}`);
}
