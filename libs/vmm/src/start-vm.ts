import { VmExitedError, VmTimeoutError } from './errors.ts';
import { notFoundByShell, spawnQemu } from './qemu/qemu-process.ts';
import { Vm, within } from './vm.ts';
import type { StartOptions, VmOptions } from './vm-options.ts';

/**
 * Starts a virtual machine in QEMU and resolves when its CPUs run (or, with `paused`, could run).
 *
 * Rejects with VmOptionsError, ProgramNotFoundError (QEMU or setpriv is not installed), VmExitedError (QEMU refused its
 * arguments; the message has what it wrote), VmTimeoutError, or the signal's reason. Nothing is left then.
 */
export async function startVm(options: VmOptions & StartOptions): Promise<Vm> {
  const { signal, startTimeoutMs = 30_000 } = options;
  signal?.throwIfAborted();
  const vm = new Vm(await spawnQemu(options), options.consoleBytes);
  const onAbort = () => void vm.kill();
  signal?.addEventListener('abort', onAbort, { once: true });
  void vm.exited.then(() => signal?.removeEventListener('abort', onAbort));
  if (signal?.aborted) onAbort();

  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void vm.kill();
  }, startTimeoutMs);
  try {
    await vm.qmp.negotiate();
    return vm;
  } catch (cause) {
    // The connection closes a moment before the process ends, whose exit status is worth that moment.
    if (!(await within(1000, vm.exited))) await vm.kill();
    const exit = await vm.exited;
    signal?.throwIfAborted();
    const consoleTail = vm.console.tail();
    const what = 'starting QEMU';
    if (late) throw new VmTimeoutError(what, { timeoutMs: startTimeoutMs, consoleTail, cause });
    const notFound = notFoundByShell(exit.code, options);
    if (notFound) throw notFound;
    throw new VmExitedError(what, { exit, stderr: vm.stderr, consoleTail, cause });
  } finally {
    clearTimeout(timer);
  }
}
