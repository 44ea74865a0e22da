import { Errno } from '../errno.ts';
import type { IdMap } from './id-map.ts';
import { chmod, constants, fchownat, fstat, Stat } from './linux.ts';
import { procPath } from './proc-path.ts';
import { processStatus } from './process-status.ts';

const NO_NAME = new Uint8Array(0);
/** "Leave this id as it is", of chown(2); "none is named", of n_uname and gid. */
const NO_ID = 0xffffffff;
const PERMISSIONS = 0o7777;
const SET_ID_BITS = 0o6000;

/** What a client wants something to have that it makes. */
export interface NewFile {
  /** Of the host; 0xffffffff for none. */
  user: number;
  /** Undefined: a symlink, which has none of its own. */
  mode: number | undefined;
  gid: number;
}

/** Sees to it that new files have the owner, group and very mode that were asked for. */
export class NewFiles {
  readonly #gids: IdMap;
  /** Read without setting it: it belongs to the whole process. */
  readonly #umask = Number.parseInt(processStatus('Umask'), 8);
  /** Root gives files to users; for anyone else it would be a call in vain for each file that is made. */
  readonly #mayGiveAway = process.geteuid?.() === 0;

  constructor(gids: IdMap) {
    this.#gids = gids;
  }

  /**
   * Corrects what the kernel gave to the file behind a descriptor. Without the right to give files away, owner and group
   * stay as they are.
   *
   * @param stat where the file's fstat is left
   * @returns 0 or a negative errno
   */
  settle(fd: number, stat: Uint32Array, { user, mode, gid }: NewFile): number {
    const failed = fstat(fd, stat);
    if (failed < 0) return failed;
    const owner = this.#mayGiveAway ? user : NO_ID;
    const group = this.#gids.toHost(gid);
    const isGiven =
      (owner !== NO_ID && owner !== stat[Stat.uid]) || (group !== NO_ID && group !== stat[Stat.gid]);
    if (isGiven) {
      const refused = fchownat(fd, NO_NAME, 0, 0, owner, group, constants.AT_EMPTY_PATH);
      if (refused < 0 && refused !== -Errno.EPERM) return refused;
    }
    if (mode === undefined) return 0;
    const wanted = mode & PERMISSIONS;
    // The mask took bits away, or the change of owner did.
    const lostBits = (wanted & this.#umask) !== 0 || (isGiven && (wanted & SET_ID_BITS) !== 0);
    return lostBits ? chmod(procPath(fd), wanted) : 0;
  }
}
