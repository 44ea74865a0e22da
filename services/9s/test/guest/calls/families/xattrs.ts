import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from '@vm-tools/linux';
import type { Place } from '../place.ts';

const { XATTR_CREATE, XATTR_REPLACE, S_IFIFO } = constants;

/** Attributes of one namespace: making, replacing, sizes, removing, on each kind of file. */
function namespace(place: Place, prefix: string): void {
  writeFileSync('f', 'file');
  mkdirSync('d');
  symlinkSync('f', 'l');
  symlinkSync('absent', 'dangling');
  place.mknod('p', S_IFIFO | 0o644);
  const name = `${prefix}one`;
  for (const path of ['f', 'd', 'l', 'dangling', 'p', 'absent']) {
    place.getxattr(path, name);
    place.listxattr(path);
    place.setxattr(path, name, 'value', XATTR_REPLACE);
    place.setxattr(path, name, 'value', XATTR_CREATE);
    place.setxattr(path, name, 'other', XATTR_CREATE);
    place.setxattr(path, name, 'a longer value', XATTR_REPLACE);
    place.setxattr(path, name, 'x', XATTR_CREATE | XATTR_REPLACE);
    for (const room of [0, 1, 13, 14, 15, 65_536]) place.getxattr(path, name, room);
    place.setxattr(path, `${prefix}two`, '');
    place.getxattr(path, `${prefix}two`);
    place.setxattr(path, name, Buffer.from([0, 1, 0, 255]));
    place.getxattr(path, name);
    for (const room of [0, 1, 65_536]) place.listxattr(path, room);
    place.setxattr(path, name, '');
    place.getxattr(path, name);
    place.removexattr(path, name);
    place.removexattr(path, name);
    place.getxattr(path, name);
    place.listxattr(path);
    place.lstat(path);
  }
  place.note('sizes');
  for (const size of [255, 256, 4000, 5000, 32_768, 65_536, 65_537]) {
    place.setxattr('d', `${prefix}big`, Buffer.alloc(size, size % 251));
    place.getxattr('d', `${prefix}big`);
    place.getxattr('d', `${prefix}big`, 0);
    place.getxattr('d', `${prefix}big`, 200);
  }
  place.note('names');
  for (const suffix of [
    '',
    'é',
    'with space',
    'n'.repeat(255 - prefix.length),
    'n'.repeat(256 - prefix.length),
  ]) {
    place.setxattr('f', `${prefix}${suffix}`, 'v');
    place.getxattr('f', `${prefix}${suffix}`);
  }
  place.listxattr('f');
}

/** The guest's tmpfs has these two namespaces; attributes in user.* it learnt later than its 6.1. */
export function trustedXattrs(place: Place): void {
  namespace(place, 'trusted.');
}

export function securityXattrs(place: Place): void {
  namespace(place, 'security.');
}

export function userXattrs(place: Place): void {
  namespace(place, 'user.');
}

export function otherXattrs(place: Place): void {
  writeFileSync('f', 'file');
  mkdirSync('d');
  for (const name of [
    '',
    'none',
    'user',
    'user.',
    'unknown.x',
    'trusted',
    'system.x',
    'system.posix_acl_access',
    'system.posix_acl_default',
  ]) {
    for (const path of ['f', 'd']) {
      place.setxattr(path, name, 'value');
      place.getxattr(path, name);
      place.removexattr(path, name);
    }
  }
  place.listxattr('f');
}
