export * from '../../src/conformance/check.ts';
