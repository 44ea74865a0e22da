// Runs the checks in a guest. With a role it is the other process of a check.
import { runChecks } from '@vm-tools/guest/run-checks';
import { checks } from './checks.ts';
import { askWhoIAm, serveForEver } from './hello.ts';

const [role, address = ''] = process.argv.slice(2);

if (role === 'serve') {
  await serveForEver(address);
} else if (role === 'call') {
  await askWhoIAm(address);
} else {
  await runChecks(checks);
  process.exit();
}
