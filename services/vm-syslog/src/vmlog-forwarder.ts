#!/usr/bin/env node
import { runProgram } from '@vm-tools/daemon';
import { forwarderProgram } from './forwarder-program.ts';

// Whoever asks for help or the version does not load what serves.
void runProgram(forwarderProgram, async (context) => await (await import('./forward.ts')).forward(context));
