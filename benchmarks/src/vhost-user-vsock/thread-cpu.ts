import { readdirSync, readFileSync } from 'node:fs';
import type { Guest } from '@vm-tools/guest';

/** Nanoseconds that threads of a process have run so far (Linux, Documentation/scheduler/sched-stats.rst). */
function ran(pid: number, threads: readonly string[]): number {
  let sum = 0;
  for (const thread of threads)
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  return sum;
}

/** Of all its threads that there are. */
export function processNanoseconds(pid: number): number {
  return ran(pid, readdirSync(`/proc/${pid}/task`));
}

/** The threads that are the guest's CPUs. */
export class GuestCpus {
  readonly #pid: number;
  readonly #threads: readonly string[];

  private constructor(pid: number, threads: readonly string[]) {
    this.#pid = pid;
    this.#threads = threads;
  }

  static async of({ vm }: Guest): Promise<GuestCpus> {
    const cpus = (await vm.qmp.execute('query-cpus-fast')) as { 'thread-id': number }[];
    return new GuestCpus(
      vm.pid,
      cpus.map((cpu) => String(cpu['thread-id'])),
    );
  }

  nanoseconds(): number {
    return ran(this.#pid, this.#threads);
  }
}
