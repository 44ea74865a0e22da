import { median } from '../median.ts';

/** One thing that the guest does on either transport, by `vsock-peer` of guest/native. */
export interface Workload {
  readonly name: string;
  readonly unit: string;
  readonly command: 'flow-out' | 'flow-in' | 'rtt';
  /** The program of native/vsockend.c at the other end. */
  readonly end: 'sink' | 'source' | 'echo';
  /** Of vsock. */
  readonly port: number;
  /** In place of a number of bytes. */
  readonly count?: number;
  /** What a packet of Linux 6.1 holds: CPU time is counted for so much. */
  readonly block?: number;
  readonly isBetter: 'more' | 'less';
  /** Of the ratio to virtio-serial. */
  readonly target: number;
  /** From what the program says. */
  figureOf(output: string, bytes: number): number;
}

const megabytesASecond = (output: string, bytes: number) => bytes / 1e6 / (Number(output) / 1e9);

export const workloads: readonly Workload[] = [
  {
    name: 'guest to host',
    unit: 'MB/s',
    command: 'flow-out',
    end: 'sink',
    port: 1,
    block: 65_536,
    isBetter: 'more',
    target: 1.4,
    figureOf: megabytesASecond,
  },
  {
    name: 'host to guest',
    unit: 'MB/s',
    command: 'flow-in',
    end: 'source',
    port: 2,
    block: 4096,
    isBetter: 'more',
    target: 1.1,
    figureOf: megabytesASecond,
  },
  {
    name: 'round trip of a byte, median',
    unit: 'us',
    command: 'rtt',
    end: 'echo',
    port: 3,
    count: 2000,
    isBetter: 'less',
    target: 1.2,
    figureOf: (output) => median(output.trim().split('\n').map(Number)) / 1000,
  },
];
