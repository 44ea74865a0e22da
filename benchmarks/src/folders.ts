import { fileURLToPath } from 'node:url';

/** The repository's root folder, absolute, without a slash at its end. */
export const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The folder of the benchmarks, the same way. */
export const benchmarks = `${repository}/benchmarks`;

/** Compiled programs and fixtures; may be deleted at any time between runs. */
export const cache = `${repository}/.cache/benchmarks`;
