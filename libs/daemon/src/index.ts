export { type PassedSocket, passedSockets } from '@vm-tools/vsock';
export { completionScript } from './completion.ts';
export { ExitCode, ExitError, exitCodeOf, exitMeanings } from './exit-status.ts';
export { helpText } from './help.ts';
export { listenOn } from './listen.ts';
export { ListenError } from './listen-error.ts';
export type { Listener, ListenOptions } from './listener.ts';
export {
  createLog,
  type Log,
  type LogFields,
  type LogFormat,
  type LogLevel,
  type LogOptions,
} from './log.ts';
export { manualPage } from './manual.ts';
export { type CommandLine, type Invocation, parseCommandLine } from './parse-command-line.ts';
export {
  commonOptions,
  defineProgram,
  type Operand,
  type OperandTable,
  type OperandValues,
  type OptionSpec,
  type OptionTable,
  type OptionValues,
  type Program,
  packageVersion,
  type SwitchSpec,
  serviceEnvironment,
  type ValueSpec,
} from './program.ts';
export { type Context, runProgram } from './run.ts';
export { ServiceManager, type ServiceState } from './service-manager.ts';
export { Shutdown, type ShutdownHandler, type ShutdownOptions } from './shutdown.ts';
export { UsageError, type UsageErrorCode } from './usage-error.ts';
export { absolutePath, addressFor, InvalidValue, wholeNumber } from './value.ts';
export { cannotListen, vmAddress } from './vm-address.ts';
