import { expect, test } from 'vitest';
import { hostUsers } from './host-users.ts';

const passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/:
twice:x:1:2::/:
alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh
+::::::
broken:x::5::/:
large:x:4294967295:1::/:

short:x:7
`;
const group = `root:x:0:
audio:x:29:alice,daemon
video:x:44:alice
staff:x:50:
+:::
`;

test('the users of the host, with their groups; lines that name none are left out', () => {
  expect([...hostUsers(passwd, group)]).toEqual([
    [0, { name: 'root', gid: 0, groups: [] }],
    [1, { name: 'daemon', gid: 1, groups: [29] }],
    [1000, { name: 'alice', gid: 1000, groups: [29, 44] }],
  ]);
});

test('are those of this machine unless said otherwise', () => {
  expect(hostUsers().get(0)).toMatchObject({ name: 'root', gid: 0 });
});
