import { describe, expect, expectTypeOf, it } from 'vitest';
import { sample } from '../test/fixtures/sample.ts';
import { parseCommandLine, UsageError } from './index.ts';

function parse(...args: string[]) {
  const commandLine = parseCommandLine(sample, args);
  if (commandLine.kind !== 'run') throw new Error(`it is ${commandLine.kind}`);
  return commandLine;
}

function failure(...args: string[]): UsageError {
  try {
    parseCommandLine(sample, args);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error as UsageError;
  }
  throw new Error(`${args.join(' ')} was understood`);
}

const least = ['--root', '/srv', 'unix:/run/s.sock'];

describe('parseCommandLine', () => {
  it('gives every option of the table a value of its type', () => {
    const { options, operands } = parse(...least);
    expect(options).toEqual({
      root: '/srv',
      readOnly: false,
      socketGid: undefined,
      uidMap: [],
      mode: 'safe',
      aRatherLongOptionName: undefined,
      act: undefined,
      logFormat: 'text',
      logLevel: 'info',
      completion: undefined,
      help: false,
      version: false,
    });
    expect(operands).toEqual({ listen: { kind: 'unix', path: '/run/s.sock' }, others: [] });
    expectTypeOf(options.root).toEqualTypeOf<string>();
    expectTypeOf(options.readOnly).toEqualTypeOf<boolean>();
    expectTypeOf(options.socketGid).toEqualTypeOf<number | undefined>();
    expectTypeOf(options.uidMap).toEqualTypeOf<readonly number[][]>();
    expectTypeOf(options.mode).toEqualTypeOf<'fast' | 'safe'>();
    expectTypeOf(options.logLevel).toEqualTypeOf<'error' | 'warn' | 'info' | 'debug'>();
    expectTypeOf(operands.others).toEqualTypeOf<readonly string[]>();
  });

  it.each([
    [['-r', '/a', '--read-only', 'tcp:localhost:1']],
    [['-r/a', 'tcp:localhost:1', '--read_only']],
    [['--root=/a', '--read-only', '--', 'tcp:localhost:1']],
  ])('understands %j', (args) => {
    const { options, operands } = parse(...args);
    expect(options).toMatchObject({ root: '/a', readOnly: true });
    expect(operands.listen).toEqual({ kind: 'tcp', host: 'localhost', port: 1 });
  });

  it('understands the underscores of the original programs, in the names of options alone', () => {
    const args = [
      '--socket_gid',
      '12',
      '--uid_map=0:1',
      '--uid-map',
      '2:3',
      '--a_rather_long-option_name=a_b',
    ];
    const { options } = parse(...args, ...least);
    expect(options).toMatchObject({ socketGid: 12, aRatherLongOptionName: 'a_b' });
    expect(options.uidMap).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(parse(...least, '--', '--a_b').operands.others).toEqual(['--a_b']);
  });

  it('takes a value that begins with a dash when it is written with =', () => {
    expect(parse('--root=-', 'unix:/x').options.root).toBe('-');
    expect(parse('--root', '-', 'unix:/x').options.root).toBe('-');
    expect(parse('--root=--mode', 'unix:/x').options.root).toBe('--mode');
  });

  it('knows help, version and completion whatever is missing', () => {
    expect(parseCommandLine(sample, ['-h'])).toEqual({ kind: 'help' });
    expect(parseCommandLine(sample, ['--help', '--socket-gid', 'x'])).toEqual({ kind: 'help' });
    expect(parseCommandLine(sample, ['--version'])).toEqual({ kind: 'version' });
    expect(parseCommandLine(sample, ['--completion', 'zsh'])).toEqual({ kind: 'completion', shell: 'zsh' });
    expect(failure('--completion', 'fish').message).toBe(
      '--completion: "fish" is none of its values; write bash or zsh',
    );
  });

  it.each([
    [
      ['--raed-only', ...least],
      'ERR_UNKNOWN_OPTION',
      '--raed-only: there is no such option; did you mean --read-only?',
    ],
    [
      ['--frobnicate', ...least],
      'ERR_UNKNOWN_OPTION',
      '--frobnicate: there is no such option; --help lists the options',
    ],
    [['-x', ...least], 'ERR_UNKNOWN_OPTION', '-x: there is no such option; --help lists the options'],
    [
      ['--constructor', ...least],
      'ERR_UNKNOWN_OPTION',
      '--constructor: there is no such option; --help lists the options',
    ],
    [[...least, '--socket-gid'], 'ERR_MISSING_VALUE', '--socket-gid: has no value; write --socket-gid=GID'],
    [
      ['--root', '--read-only', 'unix:/x'],
      'ERR_MISSING_VALUE',
      '--root: is followed by "--read-only", which looks like an option; write --root=DIR',
    ],
    [
      ['--read-only=yes', ...least],
      'ERR_UNEXPECTED_VALUE',
      '--read-only: takes no value, but was given "yes"; write --read-only alone',
    ],
    [
      ['--socket-gid', '1x', ...least],
      'ERR_INVALID_VALUE',
      '--socket-gid: "1x" is not a whole number; write a number from 0 to 4294967294',
    ],
    [
      ['--socket-gid', '4294967295', ...least],
      'ERR_INVALID_VALUE',
      '--socket-gid: "4294967295" is too large; write a number from 0 to 4294967294',
    ],
    [['--uid-map', '0', ...least], 'ERR_INVALID_VALUE', '--uid-map: 0 has no colon; write two numbers'],
    [
      ['--mode', 'slow', ...least],
      'ERR_INVALID_VALUE',
      '--mode: "slow" is none of its values; write fast or safe',
    ],
    [['--root', '/b', ...least], 'ERR_REPEATED_OPTION', '--root: was given more than once; write it once'],
    [['unix:/x'], 'ERR_MISSING_OPTION', '--root: is missing; write --root DIR'],
    [['-r', '/a'], 'ERR_MISSING_OPERAND', 'LISTEN: is missing; write unix:/path after the options'],
    [
      ['-r', '/a', '/run/s.sock'],
      'ERR_INVALID_VALUE',
      'LISTEN: "/run/s.sock" is not an address: no kind of address stands before a colon; write unix:/run/s.sock',
    ],
  ])('refuses %j', (args, code, message) => {
    expect(failure(...args)).toMatchObject({ code, message, exitCode: 64 });
  });

  it('refuses operands that the program does not have', () => {
    const { others: _, ...operands } = sample.operands;
    expect(() => parseCommandLine({ ...sample, operands }, [...least, 'b c'])).toThrow(
      '"b c": is more than LISTEN; leave it out, or put quotes around an argument with spaces',
    );
  });
});
