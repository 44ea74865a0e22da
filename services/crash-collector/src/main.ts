#!/usr/bin/env node
import { runProgram } from '@vm-tools/daemon';
import { program } from './program.ts';

// Whoever asks for help or the version does not load what converts and sends.
void runProgram(program, async (context) => await (await import('./collect.ts')).collect(context));
