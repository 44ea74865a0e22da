import { create, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError, createRouterTransport, type ServiceImpl } from '@connectrpc/connect';
import { type Batch, BatchRefusedError } from '@vm-tools/syslog';
import { LogCollector, type LogRequest, LogRequestSchema, LogSeverity } from '@vm-tools/vm-rpc/vm-host';
import { expect, test } from 'vitest';
import { type BatchSender, batchSender } from './batch-sender.ts';

const records = [{ severity: LogSeverity.ERROR, content: Buffer.from(' backup: full') }];
const { signal } = new AbortController();

function batch(number: bigint): Batch {
  const bytes = toBinary(LogRequestSchema, create(LogRequestSchema, { records }));
  return { stream: 'a', number, records: 1, bytes, senders: [1] };
}

/** A sender to a host of which these are the methods, and what that gets. */
function site(methods: Partial<ServiceImpl<typeof LogCollector>> = {}): {
  got: string[];
  sender: BatchSender;
} {
  const got: string[] = [];
  const note = (kind: string) => (request: LogRequest) => {
    const texts = request.records.map(
      ({ content, severity }) => `${severity}${Buffer.from(content).toString()}`,
    );
    got.push(`${kind} ${request.sender} ${request.batch} ${texts.join()}`);
    return {};
  };
  const transport = createRouterTransport(({ service }) => {
    service(LogCollector, { collectUserLogs: note('user'), collectKernelLogs: note('kernel'), ...methods });
  });
  return { got, sender: batchSender(transport) };
}

test('a batch arrives with its number, by the method for what it is', async () => {
  const { got, sender } = site();
  await sender.sendUserLogs(batch(1n), signal);
  await sender.sendKernelLogs(batch(2n), signal);
  expect(got).toEqual(['user a 1 4 backup: full', 'kernel a 2 4 backup: full']);
});

test('a host that takes nothing of the kernel gets it among the rest, and is not asked again', async () => {
  let asked = 0;
  const { got, sender } = site({
    collectKernelLogs: () => {
      asked++;
      throw new ConnectError('never heard of it', Code.Unimplemented);
    },
  });
  for (const number of [1n, 2n]) await sender.sendKernelLogs(batch(number), signal);
  expect(got).toEqual(['user a 1 4 backup: full', 'user a 2 4 backup: full']);
  expect(asked).toBe(1);
});

test('what the host will never take is refused for good, and all else is tried again', async () => {
  for (const [code, error] of [
    [Code.InvalidArgument, BatchRefusedError],
    [Code.Unavailable, ConnectError],
    [Code.Internal, ConnectError],
    [Code.PermissionDenied, ConnectError],
  ] as const) {
    const fail = () => {
      throw new ConnectError('no', code);
    };
    const { sender } = site({ collectUserLogs: fail, collectKernelLogs: fail });
    await expect(sender.sendUserLogs(batch(1n), signal)).rejects.toBeInstanceOf(error);
    await expect(sender.sendKernelLogs(batch(1n), signal)).rejects.toBeInstanceOf(error);
  }
});
