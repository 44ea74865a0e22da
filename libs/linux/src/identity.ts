import { hot } from './addon.ts';

/**
 * setfsuid(2): the user as whom the calling thread, and no other, works with files. One other than 0 costs root its rights over files of others until it is
 * 0 again. Threads that this one starts begin with it.
 * @returns 0, or -EPERM without CAP_SETUID: then it is what it was
 */
export const setfsuid = hot<(uid: number) => number>('setfsuid');

/** setfsgid(2), likewise for the group. @returns 0, or -EPERM without CAP_SETGID */
export const setfsgid = hot<(gid: number) => number>('setfsgid');

/**
 * setgroups(2) of the calling thread alone: its supplementary groups.
 * @returns 0 or a negative errno (-EPERM without CAP_SETGID)
 */
export const setThreadGroups = hot<(groups: Uint32Array) => number>('setThreadGroups');
