import { ConnectError, createClient } from '@connectrpc/connect';
import { createVmTransport } from '@vm-tools/vm-rpc';
import { Maitred, ProcessStatus } from '@vm-tools/vm-rpc/vm-guest';

const [address, dashes, ...argv] = process.argv.slice(2);
if (address === undefined || dashes !== '--' || argv.length === 0) {
  console.error('usage: main.ts ADDRESS -- PROGRAM [ARGUMENT]...');
  process.exit(64);
}

try {
  await using transport = createVmTransport(address, {
    // A VM takes a while to boot.
    retryMs: 30_000,
    // Our own server may be asked as often as that whether it is still there.
    keepAlive: { intervalMs: 5_000, timeoutMs: 5_000 },
    serverEnduresPings: true,
  });
  const guest = createClient(Maitred, transport);
  const { status, code } = await guest.launchProcess({ argv, waitForExit: true }, { timeoutMs: 60_000 });
  console.log(
    `${argv[0]} ${status === ProcessStatus.SIGNALED ? 'was ended by signal' : 'ended with'} ${code}`,
  );
  // As a shell has it.
  process.exitCode = status === ProcessStatus.SIGNALED ? 128 + code : code;
} catch (error) {
  console.error(ConnectError.from(error).message);
  process.exitCode = 69;
}
