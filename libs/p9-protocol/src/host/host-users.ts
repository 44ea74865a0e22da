import { readFileSync } from 'node:fs';

/** A user of the host, by passwd(5) and group(5). */
export interface HostUser {
  readonly name: string;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/**
 * The users of the host by number, from /etc/passwd and /etc/group as they are now; those that come from elsewhere (LDAP, systemd-homed) are not among
 * them. Of two with one number the first counts.
 *
 * @throws a system error when one of the files cannot be read
 */
export function hostUsers(
  passwd: string = readFileSync('/etc/passwd', 'utf8'),
  group: string = readFileSync('/etc/group', 'utf8'),
): ReadonlyMap<number, HostUser> {
  const groupsOf = new Map<string, number[]>();
  for (const [, , number, members = ''] of records(group, 3)) {
    const gid = idOf(number);
    if (gid === undefined) continue;
    for (const member of members.split(',')) groupsOf.set(member, [...(groupsOf.get(member) ?? []), gid]);
  }
  const users = new Map<number, HostUser>();
  for (const [name = '', , number, groupNumber] of records(passwd, 4)) {
    const uid = idOf(number);
    const gid = idOf(groupNumber);
    if (uid === undefined || gid === undefined || users.has(uid)) continue;
    users.set(uid, { name, gid, groups: groupsOf.get(name) ?? [] });
  }
  return users;
}

/** The number of the user of that name. */
export function userNamed(
  users: ReadonlyMap<number, HostUser>,
  name: string | undefined,
): number | undefined {
  for (const [uid, user] of users) if (user.name === name) return uid;
  return undefined;
}

/** The user that all others stand for: of that group, and of the groups that he has on the host. */
export function squashedUser(
  { uid, gid }: { uid: number; gid: number },
  users: ReadonlyMap<number, HostUser>,
): HostUser {
  return { name: '', groups: [], ...users.get(uid), gid };
}

/** The lines that have so many fields, in fields. */
function records(text: string, fields: number): string[][] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(({ length }) => length >= fields);
}

/** Numbers alone: what is left empty, or NIS's `+`, is no id. */
function idOf(text = ''): number | undefined {
  return /^\d+$/.test(text) && Number(text) < 0xffffffff ? Number(text) : undefined;
}
