import { fromBinary } from '@bufbuild/protobuf';
import { type CallOptions, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { type Batch, BatchRefusedError } from '@vm-tools/syslog';
import { LogCollector, type LogRequest, LogRequestSchema } from '@vm-tools/vm-rpc/vm-host';

/** Brings batches to the LogCollector of the host. What they reject with is a ConnectError, or a BatchRefusedError. */
export interface BatchSender {
  /** Of the guest's programs. */
  sendUserLogs(batch: Batch, signal: AbortSignal): Promise<void>;
  /** Of its kernel; to a host that does not take these, among those of programs. */
  sendKernelLogs(batch: Batch, signal: AbortSignal): Promise<void>;
}

/** @param transport whose calls should have a deadline: a host that hangs must not hold up the log for ever */
export function batchSender(transport: Transport): BatchSender {
  const client = createClient(LogCollector, transport);
  let takesKernelLogs = true;

  type Method = (request: LogRequest, options: CallOptions) => Promise<unknown>;
  const send = async (method: Method, batch: Batch, signal: AbortSignal) => {
    const request = fromBinary(LogRequestSchema, batch.bytes);
    request.sender = batch.stream;
    request.batch = batch.number;
    try {
      await method(request, { signal });
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      if (code === Code.InvalidArgument) throw new BatchRefusedError(rawMessage, { cause: error });
      throw error;
    }
  };
  const sendUserLogs = (batch: Batch, signal: AbortSignal) => send(client.collectUserLogs, batch, signal);
  return {
    sendUserLogs,
    async sendKernelLogs(batch, signal) {
      if (takesKernelLogs) {
        try {
          await send(client.collectKernelLogs, batch, signal);
          return;
        } catch (error) {
          if (ConnectError.from(error).code !== Code.Unimplemented) throw error;
          takesKernelLogs = false;
        }
      }
      await sendUserLogs(batch, signal);
    },
  };
}
