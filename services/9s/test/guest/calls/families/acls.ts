import { constants } from '@vm-tools/linux';
import type { Place } from '../place.ts';

const { O_CREAT, O_WRONLY, S_IFIFO } = constants;

/** Tags of acl_tag_t, in the order in which entries must come (linux/posix_acl.h). */
const tags = { owner: 1, user: 2, group: 4, namedGroup: 8, mask: 16, other: 32 };
const NO_ID = 0xffffffff;

type Entry = readonly [tag: keyof typeof tags, permissions: number, id?: number];

/** As an attribute: struct posix_acl_xattr_header and its entries (linux/posix_acl_xattr.h). */
function acl(...entries: Entry[]): Buffer {
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2);
  for (const [index, [tag, permissions, id = NO_ID]] of entries.entries()) {
    bytes.writeUInt16LE(tags[tag], 4 + 8 * index);
    bytes.writeUInt16LE(permissions, 6 + 8 * index);
    bytes.writeUInt32LE(id, 8 + 8 * index);
  }
  return bytes;
}

/** POSIX ACLs, which the client knows with the option posixacl: they hold for users, follow chmod and are handed down. */
export function acls(place: Place): void {
  const [ACCESS, DEFAULT] = ['system.posix_acl_access', 'system.posix_acl_default'];
  const both = (path: string) => {
    place.lstat(path);
    place.getxattr(path, ACCESS);
    place.getxattr(path, DEFAULT);
    place.listxattr(path);
  };
  place.close(place.open('f', O_WRONLY | O_CREAT, 0o640));
  place.mkdir('d', 0o750);
  const full = acl(
    ['owner', 7],
    ['user', 5, 1000],
    ['group', 4],
    ['namedGroup', 6, 2000],
    ['mask', 7],
    ['other', 0],
  );
  const values = {
    full,
    minimal: acl(['owner', 6], ['group', 4], ['other', 4]),
    'without mask': acl(['owner', 7], ['user', 5, 1000], ['group', 4], ['other', 0]),
    'without other': acl(['owner', 6], ['group', 4]),
    'wrong order': acl(['other', 4], ['group', 4], ['owner', 6]),
    'wrong version': Buffer.concat([Buffer.from([9, 0, 0, 0]), full.subarray(4)]),
    cut: full.subarray(0, 11),
    nothing: Buffer.alloc(0),
  };
  for (const path of ['f', 'd']) {
    for (const [what, value] of Object.entries(values)) {
      place.note(what);
      place.setxattr(path, ACCESS, value);
      both(path);
      place.setxattr(path, DEFAULT, value);
      both(path);
    }
    place.setxattr(path, ACCESS, full);
    for (const mode of [0o600, 0o777, 0o050]) {
      place.chmod(path, mode);
      both(path);
    }
    place.removexattr(path, ACCESS);
    place.removexattr(path, ACCESS);
    both(path);
  }
  place.note('handed down');
  place.setxattr('d', DEFAULT, full);
  place.close(place.open('d/file', O_WRONLY | O_CREAT, 0o666));
  place.close(place.open('d/closed', O_WRONLY | O_CREAT, 0o600));
  place.mkdir('d/folder', 0o777);
  place.mknod('d/fifo', S_IFIFO | 0o666);
  place.symlink('x', 'd/link');
  place.close(place.open('d/folder/file', O_WRONLY | O_CREAT, 0o666));
  for (const name of ['file', 'closed', 'folder', 'fifo', 'link', 'folder/file']) both(`d/${name}`);
  place.removexattr('d', DEFAULT);
  place.mkdir('d/plain', 0o777);
  both('d/plain');
  place.note('for users');
  place.chmod('.', 0o755);
  for (const [name, permissions] of [
    ['may-read', 4],
    ['may-all', 7],
    ['may-nothing', 0],
  ] as const) {
    place.close(place.open(name, O_WRONLY | O_CREAT, 0o600));
    place.setxattr(
      name,
      ACCESS,
      acl(['owner', 6], ['user', permissions, 1000], ['group', 0], ['mask', 7], ['other', 0]),
    );
    both(name);
  }
}

/** What a user may who is named in ACLs. */
export function aclUser(place: Place): void {
  for (const name of ['f', 'd', 'may-read', 'may-all', 'may-nothing']) {
    for (const right of [4, 2, 1]) place.access(name, right);
    place.close(place.open(name, O_WRONLY));
    place.close(place.open(name, constants.O_RDONLY));
    place.setxattr(name, 'system.posix_acl_access', acl(['owner', 6], ['group', 4], ['other', 4]));
  }
}
