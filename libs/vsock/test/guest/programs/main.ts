// Runs checks in a guest. With the name of a role it is the other process or thread of a check.
import { isMainThread } from 'node:worker_threads';
import { runChecks } from '@vm-tools/guest/run-checks';
import { checks } from './checks.ts';
import { roles } from './roles.ts';

const [what = '', ...args] = process.argv.slice(2);
const role = roles[what];

if (role) {
  await role(...args);
} else if (isMainThread) {
  await runChecks(checks[what] ?? {});
  process.exit();
}
