import * as assert from './assert.ts';
import { attributeChecks } from './attributes.ts';
import type { Check, Feature, Subject } from './check.ts';
import { directoryChecks } from './directories.ts';
import { fileChecks } from './files.ts';
import { lockChecks } from './locks.ts';
import { nameChecks } from './names.ts';
import { treeChecks } from './tree.ts';
import { xattrChecks } from './xattrs.ts';

export type { Check, Feature, Subject } from './check.ts';

/** What every filesystem must do, as seen by a client; by what it is about. Each check is a sentence and an async function that throws if that is not so. */
export const conformance: Readonly<Record<string, readonly Check[]>> = {
  tree: treeChecks,
  files: fileChecks,
  directories: directoryChecks,
  attributes: attributeChecks,
  names: nameChecks,
  'extended attributes': xattrChecks,
  locks: lockChecks,
};

/** The part of a test runner that is needed: vitest, node:test, mocha and jasmine all have it. */
export interface Runner {
  describe(name: string, define: () => void): unknown;
  test(name: string, run: () => Promise<void>): unknown;
}

export interface ServedSubject extends Subject {
  end(): Promise<void>;
}

/**
 * Checks a filesystem with any test runner:
 *
 * ```ts
 * describeFileSystem('my filesystem', () => serveMine(), { describe, test });
 * ```
 *
 * @param serveIt serves a new, empty filesystem (or an empty directory of one) and connects a client to it; called for each check
 * @param options.lacks what the filesystem does without
 */
export function describeFileSystem(
  name: string,
  serveIt: () => Promise<ServedSubject>,
  { describe, test }: Runner,
  options: { lacks?: readonly Feature[] } = {},
): void {
  const lacks = new Set(options.lacks);
  describe(name, () => {
    for (const [about, checks] of Object.entries(conformance)) {
      describe(about, () => {
        for (const check of checks) {
          if (check.needs.some((feature) => lacks.has(feature))) continue;
          test(check.name, () => runCheck(check, serveIt));
        }
      });
    }
  });
}

/** One check on a filesystem of its own; after it no fid may be left but the root's, and no request pending. */
async function runCheck(check: Check, serveIt: () => Promise<ServedSubject>): Promise<void> {
  const subject = await serveIt();
  try {
    await check.run(subject);
    assert.equal(subject.client.raw.pending, 0, 'requests pending after the check');
  } finally {
    await subject.end();
  }
}
