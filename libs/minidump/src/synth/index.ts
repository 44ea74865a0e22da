export type { FloatNotes } from '../cpu/cpu.ts';
export { type SyntheticCore, type SyntheticSegment, type SyntheticThread, synthesizeCore } from './core.ts';
export { synthesizeMinidump } from './minidump.ts';
