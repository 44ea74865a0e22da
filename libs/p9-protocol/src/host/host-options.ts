import type { HostUser } from './host-users.ts';

export interface HostFileSystemOptions {
  /**
   * The directory that is served, by whatever aname a client attaches; or several by their anames: another one, or none, is ENOENT then. Symlinks in
   * these paths are followed, below them none is.
   */
  root: string | ReadonlyMap<string, string>;
  /** Whatever would change something is answered EROFS. */
  readOnly?: boolean;
  /** User ids, host to client; others are the same on both sides. */
  uidMap?: ReadonlyMap<number, number>;
  /** Group ids, likewise. */
  gidMap?: ReadonlyMap<number, number>;
  /** The user and group of the host that clients' users and groups all stand for, whoever they say they are. The maps still show files of the host. */
  squash?: { uid: number; gid: number };
  /**
   * Calls are made with the rights of the user that attached - by n_uname through `uidMap`, or `squash`, or else by uname - with his groups, and none of the
   * server's, which must be root. These are all there are (`hostUsers`); others, and requests with fids of two users, get EACCES.
   */
  actAs?: ReadonlyMap<number, HostUser>;
  /** Names are found whatever the case of their ASCII letters, and are not made where that finds one. What is not there by the very name costs a look at the whole directory. */
  ignoreCase?: boolean;
  /**
   * Let clients make device nodes. Off: EPERM, since a node made by a guest is a door to a device of the host for whoever on the
   * host may open it. Without it FIFOs and sockets can be made all the same.
   */
  deviceNodes?: boolean;
}
