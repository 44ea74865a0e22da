import { describe, expect, it } from 'vitest';
import { createLog, type LogOptions } from './index.ts';

function logTo(lines: string[], options: Partial<LogOptions> = {}) {
  return createLog({
    program: 'sampled',
    now: () => new Date('2026-01-02T03:04:05.678Z'),
    journal: false,
    write: (line) => lines.push(line) > 0,
    ...options,
  });
}

describe('a log as text', () => {
  it('has time, program, level, message and fields in one line', () => {
    const lines: string[] = [];
    logTo(lines).info('connection opened', {
      peer: 'unix',
      uid: 1000,
      note: 'two words',
      empty: '',
      none: undefined,
    });
    expect(lines).toEqual([
      '2026-01-02T03:04:05.678Z sampled info: connection opened peer=unix uid=1000 note="two words" empty=""\n',
    ]);
  });

  it('lets nothing that is logged begin another line, or speak to the terminal', () => {
    const lines: string[] = [];
    logTo(lines).warn('a\nb\u001b[2J\u2028', { name: 'x\r\ny', rtl: 'a\u202eb', 'tab\t': '\u0085' });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Cf}]/u);
    expect(lines[0]).toContain('a\\u000ab\\u001b[2J\\u2028 name="x\\r\\ny" rtl="a\\u202eb"');
  });

  it('shows errors, objects and big numbers', () => {
    const lines: string[] = [];
    const error = Object.assign(new Error('it broke'), { code: 'EIO' });
    logTo(lines).error('failed', { error, size: 12n, peer: { pid: 1 } });
    expect(lines[0]).toContain('failed error="it broke (EIO)" size=12 peer.pid=1');
  });

  it('leaves time and program to the journal, and gives it the priority', () => {
    const lines: string[] = [];
    const log = logTo(lines, { journal: true, level: 'debug' });
    log.error('a');
    log.warn('b');
    log.info('c');
    log.debug('d');
    expect(lines).toEqual(['<3>a\n', '<4>b\n', '<6>c\n', '<7>d\n']);
  });
});

describe('a log as JSON', () => {
  it('has one object a line', () => {
    const lines: string[] = [];
    logTo(lines, { format: 'json' }).info('connection\nopened', { uid: 1000 });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      time: '2026-01-02T03:04:05.678Z',
      level: 'info',
      program: 'sampled',
      pid: process.pid,
      message: 'connection\nopened',
      uid: 1000,
    });
  });

  it('has all of an error', () => {
    const lines: string[] = [];
    const cause = new Error('the disk');
    const error = Object.assign(new TypeError('it broke', { cause }), { code: 'EIO' });
    logTo(lines, { format: 'json' }).error('failed', { error });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      error: {
        name: 'TypeError',
        message: 'it broke',
        code: 'EIO',
        stack: expect.stringContaining('log.test.ts'),
        cause: { message: 'the disk' },
      },
    });
  });

  it('keeps the line when a field cannot be written', () => {
    const lines: string[] = [];
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    logTo(lines, { format: 'json' }).info('odd', { cycle });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      message: 'odd',
      cycle: { unloggable: expect.stringContaining('circular') },
    });
    logTo(lines).info('odd', { cycle });
    expect(lines[1]).toContain('sampled info: odd');
  });
});

describe('a log', () => {
  it.each([
    ['error', 1],
    ['warn', 2],
    ['info', 3],
    ['debug', 4],
  ] as const)('of level %s has what is at least as severe', (level, count) => {
    const lines: string[] = [];
    const log = logTo(lines, { level });
    for (const severity of ['error', 'warn', 'info', 'debug'] as const) log[severity](severity);
    expect(lines).toHaveLength(count);
  });

  it('hands fields on', () => {
    const lines: string[] = [];
    logTo(lines).with({ connection: 1 }).with({ uid: 2 }).info('closed', { reason: 'end' });
    expect(lines[0]).toContain('closed connection=1 uid=2 reason=end');
  });

  it('says how many lines were lost when nobody could take them', () => {
    const lines: string[] = [];
    let open = true;
    const log = logTo(lines, { write: (line) => open && lines.push(line) > 0 });
    log.info('a');
    open = false;
    log.info('b');
    log.info('c');
    open = true;
    log.info('d');
    log.info('e');
    expect(lines.map((line) => line.replace(/^.*info: /, ''))).toEqual(['a\n', 'd lostLines=2\n', 'e\n']);
  });
});
