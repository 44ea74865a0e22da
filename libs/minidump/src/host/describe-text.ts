import type { MinidumpDescription } from './describe.ts';

/** Of so many threads all registers are shown: the one that crashed comes first. */
const WITH_REGISTERS = 1;
const REGISTERS_IN_A_LINE = 3;

/** What is in a minidump, as a person wants to read it. What is in it by the process's doing cannot move the cursor. */
export function describeText(dump: MinidumpDescription): string {
  const lines = [...summary(dump), ...threads(dump), ...modules(dump)];
  section(lines, 'Memory', [
    `${dump.memory.length} ranges, ${dump.memory.reduce((sum, { size }) => sum + size, 0)} bytes`,
  ]);
  section(
    lines,
    'Descriptors',
    dump.handles.map(({ handle, type, name }) => `${handle.padStart(4)}  ${type.padEnd(10)}  ${name}`),
  );
  section(
    lines,
    'Annotations',
    Object.entries(dump.annotations).map(([key, value]) => `${key}: ${value}`),
  );
  section(
    lines,
    'Streams',
    dump.streams.map(
      ({ type, name, size }) => `${type.padEnd(10)}  ${(name ?? '?').padEnd(16)}  ${size} bytes`,
    ),
  );
  section(
    lines,
    'What the writer could not get',
    dump.softErrors.map(({ code, message }) => `${code}: ${message}`),
  );
  section(lines, 'What cannot be read', dump.problems);
  return `${lines.map(printable).join('\n')}\n`;
}

function summary({ exception, process, system, created, threads }: MinidumpDescription): string[] {
  const location = threads.find(({ id }) => id === exception?.thread)?.location;
  const crash =
    exception === null
      ? 'none'
      : `${exception.name ?? `code ${exception.code}`} (${exception.flags}) at ${exception.address}, thread ${exception.thread}${location ? `, in ${location}` : ''}`;
  const os = system?.os || 'unknown system';
  return [
    `Crash:    ${crash}`,
    `Process:  ${process.pid ?? '?'}  ${process.commandLine.join(' ')}`,
    `System:   ${system?.cpu ?? 'unknown processor'}${system?.processors ? ` x ${system.processors}` : ''}, ${os}`,
    `Created:  ${created}`,
  ];
}

function threads({ threads, exception }: MinidumpDescription): string[] {
  const lines = ['', `Threads (${threads.length})`];
  for (const [index, { id, name, location, registers, stack }] of threads.entries()) {
    const mark = id === exception?.thread ? '*' : ' ';
    const [ip, sp] = Object.entries(registers);
    const where = ip && sp ? `${ip.join(' ')}  ${sp.join(' ')}` : '';
    const size = stack ? `${stack.size} bytes of stack` : 'no stack';
    const place = location ? `${where}  ${location}` : where;
    lines.push(`${mark} ${`${id}`.padStart(8)}  ${(name ?? '').padEnd(15)}  ${place}  ${size}`);
    if (index >= WITH_REGISTERS) continue;
    const texts = Object.entries(registers).map(
      ([register, value]) => `${register.padStart(6)} ${value.padEnd(18)}`,
    );
    for (let at = 0; at < texts.length; at += REGISTERS_IN_A_LINE) {
      lines.push(
        `      ${texts
          .slice(at, at + REGISTERS_IN_A_LINE)
          .join(' ')
          .trimEnd()}`,
      );
    }
  }
  return lines;
}

function modules({ modules }: MinidumpDescription): string[] {
  return [
    '',
    `Modules (${modules.length})`,
    ...modules.map(({ name, base, size, buildId }) => {
      const span = `${base}-0x${(BigInt(base) + BigInt(size)).toString(16)}`;
      return `  ${span}  ${name || '(no name)'}  ${buildId ?? 'no build-id'}`;
    }),
  ];
}

function section(lines: string[], title: string, content: readonly string[]): void {
  if (content.length > 0) lines.push('', title, ...content.map((line) => `  ${line}`));
}

function printable(line: string): string {
  return line.replaceAll(/\p{C}/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}
