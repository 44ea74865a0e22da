import { acls, aclUser } from './families/acls.ts';
import { changedTimes, modes, newModes, nodes, owners, stats, times } from './families/attributes.ts';
import { readAndWrite, sharedFiles, sizes, unlinkedFiles } from './families/files.ts';
import {
  openFileLocks,
  posixLocks,
  posixLocksOfTwoClients,
  wholeFileLocks,
  wholeFileLocksOfTwoClients,
} from './families/locks.ts';
import { openMatrix, openOthers } from './families/open.ts';
import { fileSystem, twoWays } from './families/others.ts';
import { listings, mappings, space } from './families/space.ts';
import {
  badNames,
  flaggedRenames,
  folders,
  furtherRenames,
  links,
  names,
  renames,
  symlinks,
} from './families/tree.ts';
import { prepareForUsers, user } from './families/users.ts';
import { otherXattrs, securityXattrs, trustedXattrs, userXattrs } from './families/xattrs.ts';
import type { Place } from './place.ts';

/** Calls that belong together, made in a directory of the family's name. */
export const families: Readonly<Record<string, (place: Place) => void | Promise<void>>> = {
  'open-matrix': openMatrix,
  'open-others': openOthers,
  'read-and-write': readAndWrite,
  'shared-files': sharedFiles,
  sizes,
  'unlinked-files': unlinkedFiles,
  stats,
  modes,
  'new-modes': newModes,
  owners,
  times,
  'changed-times': changedTimes,
  nodes,
  folders,
  renames,
  'flagged-renames': flaggedRenames,
  'further-renames': furtherRenames,
  links,
  symlinks,
  'bad-names': badNames,
  names,
  'trusted-xattrs': trustedXattrs,
  'security-xattrs': securityXattrs,
  'user-xattrs': userXattrs,
  'other-xattrs': otherXattrs,
  'file-system': fileSystem,
  'two-ways': twoWays,
  'posix-locks': posixLocks,
  'open-file-locks': openFileLocks,
  'posix-locks-of-two-clients': posixLocksOfTwoClients,
  flock: wholeFileLocks,
  'flock-of-two-clients': wholeFileLocksOfTwoClients,
  space,
  mappings,
  listings,
  acls,
  users: prepareForUsers,
};

/** Made by a user without privileges, in the directory of the family of that name. */
export const userFamilies: Readonly<Record<string, (place: Place) => void>> = { acls: aclUser, users: user };
