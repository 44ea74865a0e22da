import { close, constants, open } from './linux.ts';

/**
 * O_PATH descriptors of all of these directories, or of none.
 *
 * @throws a system error (`code`, `path`), RangeError when there are none
 */
export function openRoots(roots: ReadonlyMap<string, string>): number[] {
  if (roots.size === 0) throw new RangeError('there is no directory to serve: name at least one');
  const fds: number[] = [];
  try {
    for (const path of roots.values()) fds.push(open(path, constants.O_PATH | constants.O_DIRECTORY));
    return fds;
  } catch (error) {
    for (const fd of fds) close(fd);
    throw error;
  }
}
