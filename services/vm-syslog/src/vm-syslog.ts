#!/usr/bin/env node
import { runProgram } from '@vm-tools/daemon';
import { syslogProgram } from './syslog-program.ts';

// Whoever asks for help or the version does not load what sends.
void runProgram(syslogProgram, async (context) => await (await import('./collect.ts')).collect(context));
