import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { completionScript, helpText, manualPage, type Program } from '@vm-tools/daemon';
import { describe, expect, test } from 'vitest';
import { forwarderProgram } from '../src/forwarder-program.ts';
import { syslogProgram } from '../src/syslog-program.ts';
import { Daemon } from './daemon.ts';

const share = (name: string) => fileURLToPath(new URL(`../share/${name}`, import.meta.url));
const programs = [
  ['vm-syslog', syslogProgram as Program],
  ['vmlog-forwarder', forwarderProgram as Program],
] as const;

describe.each(programs)('%s tells', (source, program) => {
  const { name } = program;

  test('its help text', async () => {
    await using daemon = new Daemon(source, ['--help']);
    expect(await daemon.ended).toBe(0);
    await expect(daemon.output).toMatchFileSnapshot(`snapshots/${name}.txt`);
    expect(helpText(program)).toBe(daemon.output);
  });

  // The files that are published; `vitest -u` writes them anew.
  test('the same in the man page and the completions that are published', async () => {
    await expect(manualPage(program)).toMatchFileSnapshot(share(`${name}.8`));
    const completions = { bash: `${name}.bash`, zsh: `_${name}` } as const;
    for (const shell of ['bash', 'zsh'] as const) {
      const script = completionScript(program, shell);
      await expect(script).toMatchFileSnapshot(share(`completions/${completions[shell]}`));
    }
  });

  test('its version', async () => {
    await using daemon = new Daemon(source, ['--version']);
    expect(await daemon.ended).toBe(0);
    expect(daemon.output).toBe(`${name} 0.1.0\n`);
  });
});

test.each([
  ['vmlog-forwarder', [], '--log-destination: is missing; write --log-destination DIR|syslog'],
  ['vmlog-forwarder', ['--log_destination', 'logs'], '--log-destination: "logs" is no absolute path'],
  [
    'vmlog-forwarder',
    ['--log-destination', 'syslog', '--vm', '3'],
    '--vm: "3" names no VM; write CID=NAME:OWNER',
  ],
  [
    'vmlog-forwarder',
    ['--log-destination', 'syslog', '--vm', '3=web:1a2b', '--vm', '3=db:1a2b'],
    '--vm: CID 3 is web of 1a2b: remove that first',
  ],
  ['vmlog-forwarder', ['--log-destination', 'syslog', '--sync', '0'], '--sync: "0" is no policy'],
  [
    'vmlog-forwarder',
    ['--log-destination', 'syslog', '--max-file-bytes', '1'],
    '--max-file-bytes: "1" is too small',
  ],
  ['vm-syslog', ['--host', 'nowhere'], '--host: "nowhere" is not an address'],
  ['vm-syslog', ['--flush-bytes', '300000'], '--flush-bytes: "300000" is too large'],
] as const)('%s %j ends with 64 and says what to do', async (source, args, message) => {
  await using daemon = new Daemon(source, args);
  expect(await daemon.ended).toBe(64);
  expect(daemon.output).toContain(`: ${message}`);
});

test('the units name what is there', () => {
  const unit = (name: string) => readFileSync(share(`systemd/${name}`), 'utf8');
  for (const [source, { name, options }] of programs) {
    const command =
      new RegExp(`^ExecStart=/usr/bin/env ${name} (.*)$`, 'm').exec(unit(`${name}.service`))?.[1] ?? '';
    const flags = [...command.matchAll(/--([\w-]+)/g)].map(([, flag = '']) =>
      flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
    );
    expect(flags.length, source).toBeGreaterThan(0);
    expect(Object.keys(options)).toEqual(expect.arrayContaining(flags));
  }
  expect(unit('vm_syslog.socket')).toContain('ListenDatagram=/dev/log');
  expect(unit('vmlog_forwarder.socket')).toContain('ListenStream=vsock::9999');
});
