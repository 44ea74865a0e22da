/** How a process ended: one of the two is null. */
export interface VmExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What every error of this package extends; `code` is stable, the message is for people. */
export class VmmError extends Error {
  override readonly name: string = 'VmmError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Options that contradict each other or that QEMU could not be told. */
export class VmOptionsError extends VmmError {
  override readonly name = 'VmOptionsError';

  constructor(message: string) {
    super('ERR_VM_OPTIONS', message);
  }
}

/** A program that starting a VM needs is not installed. */
export class ProgramNotFoundError extends VmmError {
  override readonly name = 'ProgramNotFoundError';
  readonly program: string;

  constructor(program: string, remedy: string, options?: ErrorOptions) {
    super('ERR_PROGRAM_NOT_FOUND', `${program}: no such program; ${remedy}`, options);
    this.program = program;
  }
}

/** What is known when a VM disappoints; all of it goes into the message. */
export interface VmCircumstances extends ErrorOptions {
  /** The last lines of the console. */
  readonly consoleTail: string;
}

/** The VM ended while something of it was awaited. */
export class VmExitedError extends VmmError {
  override readonly name = 'VmExitedError';
  readonly exit: VmExit;
  /** What the VMM wrote to its standard error, its last 16 KiB. */
  readonly stderr: string;

  constructor(what: string, more: VmCircumstances & { readonly exit: VmExit; readonly stderr: string }) {
    super('ERR_VM_EXITED', paragraphs(`${what}: the VM ${describeExit(more.exit)}`, more), more);
    this.exit = more.exit;
    this.stderr = more.stderr;
  }
}

/** A deadline passed. */
export class VmTimeoutError extends VmmError {
  override readonly name = 'VmTimeoutError';
  readonly timeoutMs: number;

  constructor(what: string, more: VmCircumstances & { readonly timeoutMs: number }) {
    super('ERR_VM_TIMEOUT', paragraphs(`${what}: not within ${more.timeoutMs} ms`, more), more);
    this.timeoutMs = more.timeoutMs;
  }
}

/** QEMU answered a QMP command with an error, or can answer no more. */
export class QmpError extends VmmError {
  override readonly name = 'QmpError';
  readonly command: string;
  /** QEMU's class of the error, such as `GenericError` or `CommandNotFound`; `Closed` when the connection ended first. */
  readonly errorClass: string;

  constructor(command: string, errorClass: string, description: string) {
    super('ERR_QMP', `QMP ${command}: ${description} (${errorClass})`);
    this.command = command;
    this.errorClass = errorClass;
  }
}

function describeExit({ code, signal }: VmExit): string {
  return signal === null ? `exited with status ${code}` : `was ended by ${signal}`;
}

function paragraphs(
  what: string,
  { stderr = '', consoleTail }: VmCircumstances & { readonly stderr?: string },
): string {
  const parts = [what];
  if (stderr.trim() !== '') parts.push(`It wrote:\n${indented(stderr)}`);
  if (consoleTail.trim() !== '') parts.push(`Its console ends with:\n${indented(consoleTail)}`);
  return parts.join('\n');
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, '  ');
}
