import { defineConfig } from 'vitest/config';

// Workspace packages resolve to their TypeScript sources. Vite resolves what it transforms; what it leaves to Node
// (and every worker_thread and child process a test starts with its own execArgv) needs the same condition by flag.
const condition = '@vm-tools/source';
const ignored = ['**/node_modules/**', '**/dist/**', '**/.cache/**', '**/fixtures/**'];

/** `vitest run` = what `npm test` counts; `vitest run --mode nightly` = the `*.nightly.test.ts` files alone. */
export default defineConfig(({ mode }) => {
  const nightly = mode === 'nightly';
  const suffix = nightly ? '*.nightly.test.ts' : '*.test.ts';
  const exclude = nightly ? ignored : [...ignored, '**/*.nightly.test.ts'];

  const project = (name: string, groupOrder: number, folders: string[], more: object = {}) => ({
    extends: true as const,
    test: {
      name,
      include: folders.map((folder) => `${folder}/**/${suffix}`),
      exclude,
      sequence: { groupOrder },
      ...more,
    },
  });

  return {
    resolve: { conditions: [condition, 'module', 'node', 'development|production'] },
    ssr: {
      resolve: {
        conditions: [condition, 'module', 'node', 'development|production'],
        externalConditions: [condition, 'node', 'module-sync'],
      },
    },
    test: {
      pool: 'forks',
      execArgv: [`--conditions=${condition}`, '--disable-warning=ExperimentalWarning'],
      maxWorkers: 2,
      // A guest boots on an emulated CPU, perhaps on a busy machine. A hung test still ends.
      testTimeout: 120_000,
      hookTimeout: 300_000,
      teardownTimeout: 20_000,
      expect: { poll: { timeout: 90_000 } },
      restoreMocks: true,
      unstubEnvs: true,
      // The groups run one after the other, so that what is built is built before it is packed and installed.
      projects: [
        project('house', 0, ['test/house'], { testTimeout: 600_000 }),
        project('code', 1, ['libs', 'services', 'examples', 'benchmarks', 'guest', 'scripts']),
        project('packages', 2, ['test/packages'], { testTimeout: 300_000, hookTimeout: 900_000 }),
      ],
    },
  };
});
