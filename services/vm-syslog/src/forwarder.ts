import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { callerOf } from '@vm-tools/vm-rpc';
import type { LogCollector, LogRequest } from '@vm-tools/vm-rpc/vm-host';
import { LONGEST_STREAM } from './batch-journal.ts';
import { type HostSyslog, NoSyslogError } from './host-syslog.ts';
import { RequestBatch } from './request-batch.ts';
import type { Vm } from './vm.ts';
import { type NumberedBatch, VmLog, type VmLogOptions } from './vm-log.ts';

export interface ForwarderOptions {
  /** How the files of VMs are kept; undefined: there are none. */
  readonly files: Omit<VmLogOptions, 'onTrouble'> | undefined;
  /** Where records go besides, and those of VMs that nobody has named. */
  readonly syslog: HostSyslog | undefined;
  readonly onTrouble: (what: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** A VM as it is told about. */
export interface VmStatus extends Vm {
  /** Batches that came again. */
  readonly repeats: number;
}

/** Another VM has the CID, or none has it. */
export class VmError extends Error {
  override readonly name = 'VmError';
  readonly code = 'ERR_VM';
}

/** Streams whose last number is remembered where no file does. */
const STREAMS = 1024;

/** The VMs of a host, and where the log of each goes. */
export class Forwarder implements AsyncDisposable {
  readonly #options: ForwarderOptions;
  readonly #vms = new Map<number, { readonly vm: Vm; readonly log: VmLog | undefined }>();
  /** The last batch of each stream that went to the syslog alone. */
  readonly #numbers = new Map<string, bigint>();
  /** One thing after the other: files are opened and closed. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Takes the log of a VM from now on. @throws VmError; what `VmLog.open` throws */
  async add(vm: Vm): Promise<void> {
    await this.#inTurn(async () => {
      const known = this.#vms.get(vm.cid)?.vm;
      if (known?.name === vm.name && known.owner === vm.owner) return;
      if (known) throw new VmError(`CID ${vm.cid} is ${known.name} of ${known.owner}: remove that first`);
      const { files, onTrouble } = this.#options;
      const log =
        files &&
        (await VmLog.open(vm, {
          ...files,
          onTrouble: (what, fields) => onTrouble(what, { vm: vm.name, cid: vm.cid, ...fields }),
        }));
      this.#vms.set(vm.cid, { vm, log });
    });
  }

  /** Writes what is there of a VM that has stopped, and closes its files. @throws VmError */
  async remove(cid: number): Promise<void> {
    await this.#inTurn(async () => {
      const known = this.#vms.get(cid);
      if (!known) throw new VmError(`no VM has CID ${cid}`);
      this.#vms.delete(cid);
      await known.log?.close();
    });
  }

  list(): VmStatus[] {
    return [...this.#vms.values()].map(({ vm, log }) => ({ ...vm, repeats: log?.repeats ?? 0 }));
  }

  /** Opens all files by their names again. */
  reopen(): void {
    for (const { vm, log } of this.#vms.values()) {
      try {
        log?.reopen();
      } catch (error) {
        this.#options.onTrouble('its file cannot be opened', { vm: vm.name, cid: vm.cid, error });
      }
    }
  }

  /** What is served to VMs. */
  get service(): ServiceImpl<typeof LogCollector> {
    const collect = async (request: LogRequest, context: Parameters<typeof callerOf>[0]) => {
      const caller = callerOf(context);
      if (caller.kind !== 'vsock')
        throw new ConnectError('who calls is no VM: it has no CID', Code.PermissionDenied);
      if (Buffer.byteLength(request.sender) > LONGEST_STREAM)
        throw new ConnectError(`a sender has at most ${LONGEST_STREAM} bytes`, Code.InvalidArgument);
      await this.take(caller.cid, new RequestBatch(request));
      return {};
    };
    return { collectUserLogs: collect, collectKernelLogs: collect };
  }

  /** Takes a batch from a VM. @throws ConnectError: it is not written */
  async take(cid: number, batch: NumberedBatch): Promise<void> {
    const { syslog } = this.#options;
    const log = this.#vms.get(cid)?.log;
    if (!log) {
      await this.#hand(cid, batch);
      return;
    }
    let isNew: boolean;
    try {
      isNew = log.take(batch);
    } catch (error) {
      this.#options.onTrouble('a batch cannot be written', { cid, error });
      throw unavailable('the records cannot be written now', error);
    }
    if (!isNew || !syslog) return;
    try {
      this.#tellLost(cid, await syslog.take(cid, batch));
    } catch (error) {
      if (!(error instanceof NoSyslogError)) throw error;
      // They stand in the file.
      this.#options.onTrouble('records are missing in the syslog', { cid, error });
    }
  }

  async close(): Promise<void> {
    for (const { cid } of this.list()) await this.remove(cid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** To the syslog alone. */
  async #hand(cid: number, batch: NumberedBatch): Promise<void> {
    const { syslog } = this.#options;
    if (!syslog) throw new ConnectError(`nobody has named the VM with CID ${cid}`, Code.Internal);
    const stream = `${cid} ${batch.stream}`;
    if (batch.stream !== '' && batch.number <= (this.#numbers.get(stream) ?? 0n)) return;
    try {
      this.#tellLost(cid, await syslog.take(cid, batch));
    } catch (error) {
      if (!(error instanceof NoSyslogError)) throw error;
      throw unavailable(error.message, error);
    }
    if (batch.stream === '') return;
    this.#numbers.delete(stream);
    if (this.#numbers.size >= STREAMS) this.#numbers.delete(this.#numbers.keys().next().value as string);
    this.#numbers.set(stream, batch.number);
  }

  #tellLost(cid: number, records: number): void {
    if (records > 0) this.#options.onTrouble('the syslog did not take all records', { cid, records });
  }

  async #inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.#last.then(action);
    this.#last = done.catch(() => undefined);
    await done;
  }
}

/** The VM keeps the batch, and sends it again. */
function unavailable(message: string, cause: unknown): ConnectError {
  return new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
}
