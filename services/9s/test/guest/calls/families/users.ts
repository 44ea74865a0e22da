import { constants } from '@vm-tools/linux';
import type { Place } from '../place.ts';

const { O_CREAT, O_RDONLY, O_RDWR, O_WRONLY, R_OK, W_OK, X_OK } = { ...constants, R_OK: 4, W_OK: 2, X_OK: 1 };

/** Made by root, in the directory where the user then calls. */
export function prepareForUsers(place: Place): void {
  place.chmod('.', 0o777);
  for (const [owner, uid, gid] of [
    ['root', 0, 0],
    ['user', 1000, 1000],
    ['group', 0, 1000],
  ] as const) {
    for (const mode of [0, 0o400, 0o600, 0o640, 0o644, 0o660, 0o666, 0o755]) {
      const name = `${owner}-${mode.toString(8)}`;
      place.close(place.open(name, O_WRONLY | O_CREAT, 0o600));
      place.chown(name, uid, gid);
      place.chmod(name, mode);
    }
    for (const mode of [0, 0o555, 0o700, 0o711, 0o750, 0o755, 0o770, 0o777, 0o1777, 0o2777]) {
      const name = `${owner}-folder-${mode.toString(8)}`;
      place.mkdir(name);
      place.close(place.open(`${name}/file`, O_WRONLY | O_CREAT, 0o644));
      place.chown(name, uid, gid);
      place.chmod(name, mode);
    }
  }
}

/** What a user without privileges may do with what is his, his group's and root's. */
export function user(place: Place): void {
  for (const owner of ['root', 'user', 'group']) {
    for (const mode of ['0', '400', '600', '640', '644', '660', '666', '755']) {
      const name = `${owner}-${mode}`;
      for (const flags of [O_RDONLY, O_WRONLY, O_RDWR]) place.close(place.open(name, flags));
      for (const right of [R_OK, W_OK, X_OK]) place.access(name, right);
      place.truncate(name, 3);
      place.chmod(name, Number.parseInt(mode, 8));
      place.utimens(name, [1, 2], [3, 4]);
      place.utimens(name, [0, constants.UTIME_NOW], [0, constants.UTIME_NOW]);
      place.chown(name, 1000, -1);
      place.chown(name, -1, 1000);
      place.chown(name, 2000, -1);
      place.lstat(name);
    }
    for (const mode of ['0', '555', '700', '711', '750', '755', '770', '777', '1777', '2777']) {
      const name = `${owner}-folder-${mode}`;
      place.list(name);
      place.lstat(`${name}/file`);
      place.close(place.open(`${name}/new`, O_WRONLY | O_CREAT, 0o644));
      place.lstat(`${name}/new`);
      place.mkdir(`${name}/sub`);
      place.lstat(`${name}/sub`);
      place.symlink('x', `${name}/link`);
      place.lstat(`${name}/link`);
      place.mknod(`${name}/fifo`, constants.S_IFIFO | 0o600);
      place.lstat(`${name}/fifo`);
      place.mknod(`${name}/device`, constants.S_IFCHR | 0o600, 1, 3);
      place.rename(`${name}/file`, `${name}/moved`);
      place.unlink(`${name}/moved`);
      place.rmdir(`${name}/sub`);
    }
  }
  place.setxattr('user-644', 'trusted.x', 'y');
  place.getxattr('root-644', 'trusted.x');
}
