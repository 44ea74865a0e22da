import { measureCrowd } from './crowd.ts';
import { measureMemory } from './memory.ts';
import { measureWaiting } from './waiting.ts';

/** A figure of its own, with what we want it to be. */
export interface StressFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The most that it may be; absent: it is there to be compared with. */
  readonly target?: number;
}

export interface StressOptions {
  /** The tree to serve, as all servers' in this run. */
  readonly root: string;
  readonly cpu: number;
  /** The file of the program 9s. */
  readonly installed: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

/** What 9s keeps to when there are many clients, hostile ones, and requests that wait. */
export async function measureStress(options: StressOptions): Promise<StressFigure[]> {
  options.onProgress?.('memory of 9s (1/3)');
  const memory = await measureMemory(options);
  options.onProgress?.('getattr beside a request that waits (2/3)');
  const waiting = await measureWaiting(options);
  options.onProgress?.('500 connections, 100 of them hostile (3/3)');
  const crowd = await measureCrowd(options);
  return [...memory, ...waiting, ...crowd];
}

/** Whether a figure is what we want; nothing where there is no target. */
export function isMet({ value, target }: StressFigure): boolean | undefined {
  return target === undefined ? undefined : value <= target;
}
