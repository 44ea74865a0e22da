#!/usr/bin/env node
import { runProgram } from '@vm-tools/daemon';
import { program } from './program.ts';

// Whoever asks for help or the version does not load the server.
void runProgram(program, async (context) => await (await import('./serve.ts')).serve(context));
