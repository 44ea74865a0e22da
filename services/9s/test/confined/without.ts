// Executes a program as if the kernel lacked a system call: without.ts CALL ERRNO PROGRAM ARGUMENT...
import {
  execve,
  noNewPrivileges,
  type SystemCallName,
  seccompFilter,
  seccompProgram,
  setCloseOnExec,
} from '@vm-tools/linux';

const [call, errno, program = '', ...rest] = process.argv.slice(2);
for (let fd = 0; fd < 3; fd++) setCloseOnExec(fd, false);
noNewPrivileges();
const rules = [{ calls: [call as SystemCallName], action: { errno: Number(errno) } }];
seccompFilter(seccompProgram(rules, { otherwise: 'allow' }));
const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
execve(program, [program, ...rest], environment);
