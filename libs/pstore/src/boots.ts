import type { DmesgRecord } from './dmesg.ts';

/** The dumps that one boot of the machine left. */
export interface Boot {
  /** When it began, in seconds since 1970, as far as its records tell. */
  readonly startTime: number | undefined;
  /** In the order in which they were made. */
  readonly records: readonly DmesgRecord[];
}

/** How far the beginning of a boot may seem to move: the clock is read when a dump is made, and may have been set meanwhile. */
const TOLERANCE_SECONDS = 5;

/**
 * Tells dumps of an earlier boot from those of the last one. A kernel writes its dumps into the zones from the first one on, and
 * numbers them; what it did not get to is older. Two dumps are of one boot when their numbers rise by one from zone to zone and
 * their times, less the time since the boot that their logs end with, agree.
 *
 * @returns the last boot first
 */
export function separateBoots(records: readonly DmesgRecord[]): Boot[] {
  const boots: { startTime: number | undefined; records: DmesgRecord[] }[] = [];
  const ordered = [...records].sort((a, b) => a.index - b.index);
  for (const record of ordered) {
    const startTime = startOf(record);
    const boot = boots.find((each) => belongs(record, startTime, each));
    if (boot) {
      boot.records.push(record);
      boot.startTime ??= startTime;
    } else boots.push({ startTime, records: [record] });
  }
  // The last boot began with the first zone; where times are known, they tell more.
  return boots
    .map((boot, index) => ({ boot, index }))
    .sort((a, b) => {
      const [one, other] = [a.boot.startTime, b.boot.startTime];
      return one === undefined || other === undefined ? a.index - b.index : other - one;
    })
    .map(({ boot }) => ({ ...boot, records: inOrder(boot.records) }));
}

function belongs(
  record: DmesgRecord,
  startTime: number | undefined,
  boot: { startTime: number | undefined; records: readonly DmesgRecord[] },
): boolean {
  if (startTime !== undefined && boot.startTime !== undefined) {
    return (
      Math.abs(startTime - boot.startTime) <= TOLERANCE_SECONDS &&
      boot.records.every(({ count }) => count === undefined || count !== record.count)
    );
  }
  const last = boot.records.at(-1);
  return (
    last !== undefined &&
    last.index + 1 === record.index &&
    last.count !== undefined &&
    record.count === last.count + 1
  );
}

function inOrder(records: readonly DmesgRecord[]): DmesgRecord[] {
  return [...records].sort((a, b) => (a.count ?? 0) - (b.count ?? 0) || a.index - b.index);
}

/** When the boot of a dump began: its own time less that of the last line of its log, `<4>[    3.240000] ...`. */
function startOf({ time, log }: DmesgRecord): number | undefined {
  if (!time) return undefined;
  const tail = new TextDecoder('latin1').decode(log.subarray(-4096));
  const stamp = [...tail.matchAll(/^(?:<\d+>)?\[ *(\d+)\.(\d{6})\]/gm)].at(-1);
  if (!stamp) return undefined;
  return Number(time.seconds) + time.nanoseconds / 1e9 - Number(`${stamp[1]}.${stamp[2]}`);
}
