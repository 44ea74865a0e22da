import { parentPort } from 'node:worker_threads';
import { umask } from '../src/index.ts';

parentPort?.postMessage(umask(0o013));
