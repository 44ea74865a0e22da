import { describe, expect, it } from 'vitest';
import { ExitCode, ExitError, exitCodeOf, exitMeanings } from './index.ts';

describe('exitCodeOf', () => {
  it.each([
    [new ExitError('x', { exitCode: ExitCode.config, code: 'ERR_X' }), 78],
    [Object.assign(new Error('no'), { code: 'ERR_UNSUPPORTED_PLATFORM' }), 69],
    [Object.assign(new Error('no'), { code: 'EACCES', syscall: 'open' }), 77],
    [Object.assign(new Error('no'), { code: 'EPERM', syscall: 'chown' }), 77],
    [Object.assign(new Error('no'), { code: 'EIO', syscall: 'read' }), 71],
    [new TypeError('a bug'), 70],
    ['thrown text', 70],
  ])('of %s is %i', (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });

  it('has a meaning for each code', () => {
    expect(Object.keys(exitMeanings).map(Number)).toEqual(Object.values(ExitCode));
  });
});
