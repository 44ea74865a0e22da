import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { callerOf } from '@vm-tools/vm-rpc';
import type { CrashListener } from '@vm-tools/vm-rpc/vm-crash';
import type { AcceptCids, VsockPeer } from '@vm-tools/vsock';
import { plainText } from './plain-text.ts';
import { type KeptReport, ReportDirectory } from './report-directory.ts';

/** Longer names of programs are no names. */
const MAX_PROCESS_NAME = 256;
/** Addresses below it are the hypervisor, this machine and the host: no VMs. */
const FIRST_VM = 3;

/** A service of a VM ended that should not have. */
export interface FailureNotice {
  readonly cid: number;
  /** The name of its program, as the VM has it, without control characters. */
  readonly process: string;
}

export interface CrashListenerOptions {
  /** Where reports go; a function is asked for each VM, and gives the same directory for the same VM. */
  readonly directory: string | ((vm: VsockPeer) => string);
  /** Whether reports may be kept; asked at each call. What it throws means no. */
  readonly consent: () => boolean | Promise<boolean>;
  /** The VMs that may report. Default: each (CID 3 and up). */
  readonly acceptCids?: AcceptCids;
  /** How many reports a directory may hold; default 32. */
  readonly maxReports?: number;
  /** Told of each report that was kept. */
  readonly onReport?: (report: KeptReport & { readonly cid: number }) => void;
  /** Told of each service that ended in a VM. */
  readonly onFailure?: (failure: FailureNotice) => void;
}

/**
 * The host's half of crash reporting, to be registered with `serveRpc`: `router.service(CrashListener, crashListener(options))`.
 *
 * Callers that are not such a VM get FAILED_PRECONDITION, as do reports without consent; what is no report gets
 * INVALID_ARGUMENT; RESOURCE_EXHAUSTED says that the directory is full. Errors of files are INTERNAL to the caller.
 */
export function crashListener(options: CrashListenerOptions): ServiceImpl<typeof CrashListener> {
  const { directory, maxReports, onReport, onFailure } = options;
  const directories = new Map<string, ReportDirectory>();
  const directoryOf = (vm: VsockPeer): ReportDirectory => {
    const path = typeof directory === 'string' ? directory : directory(vm);
    const known = directories.get(path);
    if (known) return known;
    const opened = new ReportDirectory(path, maxReports === undefined ? {} : { maxReports });
    directories.set(path, opened);
    return opened;
  };
  const isVm = vmCheck(options.acceptCids);
  const vmOf = (context: HandlerContext): VsockPeer => {
    const caller = callerOf(context);
    if (caller.kind === 'vsock' && isVm(caller.cid)) return caller;
    const who = caller.kind === 'vsock' ? `CID ${caller.cid}` : 'a caller without a CID';
    throw new ConnectError(`${who} is no VM that reports here`, Code.FailedPrecondition);
  };
  const hasConsent = async (): Promise<boolean> => {
    try {
      return (await options.consent()) === true;
    } catch {
      return false;
    }
  };
  return {
    checkMetricsConsent: async (_, context) => {
      vmOf(context);
      return { consentGranted: await hasConsent() };
    },
    sendCrashReport: async (report, context) => {
      const vm = vmOf(context);
      if (!(await hasConsent())) {
        throw new ConnectError('there is no consent to keep reports', Code.FailedPrecondition);
      }
      const kept = await directoryOf(vm).keep(report, vm.cid);
      onReport?.({ ...kept, cid: vm.cid });
      return {};
    },
    sendFailureReport: ({ failedProcess }, context) => {
      const { cid } = vmOf(context);
      const process = plainText(failedProcess.slice(0, MAX_PROCESS_NAME));
      if (process === '') throw new ConnectError('the report names no process', Code.InvalidArgument);
      onFailure?.({ cid, process });
      return {};
    },
  };
}

function vmCheck(accept: AcceptCids | undefined): (cid: number) => boolean {
  if (accept === undefined) return (cid) => cid >= FIRST_VM;
  if (typeof accept === 'function') return accept;
  const cids = accept instanceof Set ? accept : new Set(accept);
  return (cid) => cids.has(cid);
}
