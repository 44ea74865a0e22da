import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { createVmTransport } from '@vm-tools/vm-rpc';
import { LogCollector, LogSeverity } from '@vm-tools/vm-rpc/vm-host';
import { hybridListenerPath, makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { expect, test, vi } from 'vitest';

/** AF_VSOCK knows no folders: two of these tests may run at once. */
const PORT = 400_000 + process.pid;

test('it prints the errors of a VM, each once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'example-vm-logs-'));
  makeVmDirectory(3, folder);
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@vm-tools/source', main, `vsock::${PORT}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, VM_TOOLS_RUNTIME_DIR: folder },
  });
  const printed: string[] = [];
  createInterface(child.stdout).on('line', (line) => printed.push(line));
  for await (const line of createInterface(child.stderr)) if (line === 'listening') break;

  const transport = createVmTransport(`unix:${hybridListenerPath(vmSocketPath(3, folder), PORT)}`);
  const { collectUserLogs, collectKernelLogs } = createClient(LogCollector, transport);
  const records = [
    { severity: LogSeverity.INFO, content: Buffer.from(' backup: begun') },
    { severity: LogSeverity.ERROR, content: Buffer.from(' backup: the disk\x1b[2J is full') },
  ];
  for (const batch of [1n, 1n]) await collectUserLogs({ records, sender: 'a', batch });
  const oops = { severity: LogSeverity.ALERT, content: Buffer.from('kernel: [    1.000000] Oops') };
  await collectKernelLogs({ records: [oops] });
  await vi.waitUntil(() => printed.length >= 2, { timeout: 90_000 });
  expect(printed).toEqual(['VM 3: backup: the disk#033[2J is full', 'VM 3: kernel: [    1.000000] Oops']);

  await transport.abort();
  child.kill();
  await once(child, 'exit');
  rmSync(folder, { recursive: true });
});
