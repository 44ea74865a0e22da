/** A check that hangs is told as one, before the guest's patience ends. */
const LIMIT_MS = 300_000;

/**
 * For a program in the guest: runs checks one after the other and prints how each went, a line of JSON with its `name` and, when it
 * failed, its `error`.
 */
export async function runChecks(checks: Readonly<Record<string, () => Promise<void>>>): Promise<void> {
  for (const [name, check] of Object.entries(checks)) {
    const error = await limited(check).then(
      () => undefined,
      (reason: unknown) => (reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)),
    );
    process.stdout.write(`${JSON.stringify({ name, error })}\n`);
  }
}

async function limited(check: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  await Promise.race([check(), late]).finally(() => clearTimeout(timer));
}
