import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository, workspaces } from '../../scripts/workspaces.ts';

interface Locked {
  readonly link?: boolean;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const paths = Object.keys(lock.packages);

test('package-lock.json names the packages of every platform, so that npm ci works on each', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !paths.some((other) => other.endsWith(`node_modules/${name}`)))
      .map((name) => `${path} -> ${name}`),
  );
  expect(missing, 'remedy: npm install --package-lock-only in a clone without node_modules').toEqual([]);
});

test('package-lock.json says what every package.json says', () => {
  for (const { folder, manifest } of workspaces()) {
    const {
      dependencies = {},
      devDependencies = {},
      optionalDependencies = {},
    } = lock.packages[folder] ?? {};
    expect({ folder, dependencies, devDependencies, optionalDependencies }, 'remedy: npm install').toEqual({
      folder,
      dependencies: manifest.dependencies ?? {},
      devDependencies: manifest.devDependencies ?? {},
      optionalDependencies: manifest.optionalDependencies ?? {},
    });
  }
});

test('everything that package-lock.json brings from the registry has a checksum', () => {
  const unchecked = Object.entries(lock.packages)
    .filter(([path, locked]) => path.includes('node_modules/') && !locked.link && !locked.integrity)
    .map(([path]) => path);
  expect(unchecked).toEqual([]);
});
