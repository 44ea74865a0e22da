// Prints the errors that VMs log, as they happen: `node --conditions=@vm-tools/source main.ts [ADDRESS]`, where ADDRESS is vsock::9999 unless given.
import { scrub } from '@vm-tools/syslog';
import { callerOf, serveRpc } from '@vm-tools/vm-rpc';
import { LogCollector, type LogRequest, LogSeverity } from '@vm-tools/vm-rpc/vm-host';

/** The last batch of each sender. */
const last = new Map<string, bigint>();

function print(cid: number, { sender, batch, records }: LogRequest): Record<string, never> {
  const key = `${cid} ${sender}`;
  if (sender !== '' && batch <= (last.get(key) ?? 0n)) return {};
  last.set(key, batch);
  for (const { severity, content } of records) {
    if (severity === LogSeverity.MISSING || severity > LogSeverity.ERROR) continue;
    // A VM is not trusted with the terminal.
    console.log(`VM ${cid}: ${Buffer.from(scrub(content)).toString().trim()}`);
  }
  return {};
}

await serveRpc(process.argv[2] ?? 'vsock::9999', (router) => {
  const collect = (request: LogRequest, context: Parameters<typeof callerOf>[0]) => {
    const caller = callerOf(context);
    return print(caller.kind === 'vsock' ? caller.cid : 0, request);
  };
  router.service(LogCollector, { collectUserLogs: collect, collectKernelLogs: collect });
});
console.error('listening');
