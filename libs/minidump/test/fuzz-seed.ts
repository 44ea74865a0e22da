// Fuzzes in a process of its own, whose memory is then that of the fuzzing: `fuzz-seed.ts RUNS SEED`.
import { fuzz } from './fuzz.ts';

const [runs, seed] = process.argv.slice(2).map(Number);
if (runs === undefined || seed === undefined) throw new Error('usage: fuzz-seed.ts RUNS SEED');
const counts = await fuzz(runs, seed);
process.stdout.write(JSON.stringify({ ...counts, peakBytes: process.resourceUsage().maxRSS * 1024 }));
