export {
  bootGuest,
  type GuestContents,
  type GuestOptions,
  type PreparedGuest,
  prepareGuest,
} from './boot-guest.ts';
export { type BuildOptions, type BuiltKernel, builtKernel } from './built-kernel.ts';
export { DebianPrograms } from './debian-programs.ts';
export { GuestError, type GuestErrorCode } from './errors.ts';
export type { ExecOptions, ExecResult, Guest, SpawnOptions } from './guest.ts';
export type { GuestExit, GuestProcess } from './guest-process.ts';
export { type GuestProgram, guestProgram } from './guest-program.ts';
export type { GuestFiles } from './image.ts';
export { nativeProgram } from './native.ts';
export type { MountOptions } from './p9-mount.ts';
export { type RunOptions, type RunResult, runInGuest } from './run-in-guest.ts';
export { ToolError } from './tool.ts';
