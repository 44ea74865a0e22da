// Runs checks in a guest and prints how each went: a line of JSON with its name and, when it failed, its error. With the name of a
// role it is the other process or thread of a check.
import { isMainThread } from 'node:worker_threads';
import { checks } from './checks.ts';
import { roles } from './roles.ts';

/** A check that hangs is told as one, before the guest's patience ends. */
const LIMIT_MS = 200_000;

const [what = '', ...args] = process.argv.slice(2);
const role = roles[what];

if (role) {
  await role(...args);
} else if (isMainThread) {
  for (const [name, check] of Object.entries(checks[what] ?? {})) {
    const error = await limited(check).then(
      () => undefined,
      (reason: unknown) => (reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)),
    );
    process.stdout.write(`${JSON.stringify({ name, error })}\n`);
  }
  process.exit();
}

async function limited(check: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  await Promise.race([check(), late]).finally(() => clearTimeout(timer));
}
