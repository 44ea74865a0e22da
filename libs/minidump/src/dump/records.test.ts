import { expect, test } from 'vitest';
import * as all from './records.ts';

const records = { ...all };

// Sizes and offsets that Breakpad's and Crashpad's headers compile to.
test.each([
  ['header', 32, { streamCount: 8, directoryRva: 12, timeDateStamp: 20, flags: 24 }],
  ['directoryEntry', 12, { type: 0, location: 4 }],
  ['memoryDescriptor', 16, { start: 0, memory: 8 }],
  ['memoryDescriptor64', 16, { start: 0, size: 8 }],
  ['thread', 48, { tid: 0, teb: 16, stack: 24, context: 40 }],
  ['threadName', 12, { tid: 0, nameRva: 4 }],
  ['module', 108, { base: 0, size: 8, nameRva: 20, version: 24, codeView: 76, misc: 84, reserved1: 100 }],
  ['exception', 152, { code: 0, flags: 4, address: 16, parameterCount: 24, parameters: 32 }],
  ['exceptionStream', 168, { tid: 0, exception: 8, context: 160 }],
  ['systemInfo', 56, { processorCount: 6, major: 8, platform: 20, csdVersionRva: 24, cpu: 32 }],
  ['memoryInfoHeader', 16, { headerSize: 0, entrySize: 4, count: 8 }],
  ['memoryInfo', 48, { allocationBase: 8, size: 24, state: 32, protection: 36, type: 40 }],
  ['handleHeader', 16, { count: 8 }],
  ['handle', 32, { typeNameRva: 8, objectNameRva: 12, grantedAccess: 20 }],
  ['miscInfo', 24, { flags: 4, processId: 8, createTime: 12 }],
  ['crashpadInfo', 64, { reportId: 4, clientId: 20, annotations: 36, modules: 44 }],
] as const)('%s has %i bytes', (name, size, offsets) => {
  expect(records[name].size).toBe(size);
  expect(records[name].offsets).toMatchObject(offsets);
});

test('the DSO list is as wide as the pointers of the process', () => {
  const sizes = ([64, 32] as const).map((bits) => [
    records.dsoDebug[bits].head.size,
    records.dsoDebug[bits].linkMap.size,
  ]);
  expect(sizes).toEqual([
    [40, 24],
    [24, 12],
  ]);
});
