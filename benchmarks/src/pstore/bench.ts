import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RamoopsLayout, readRamoops } from '@vm-tools/pstore';
import { buildRamoops } from '@vm-tools/pstore/synth';
import { repository } from '../folders.ts';
import { median } from '../median.ts';
import { type Cost, costTable, parseCostOptions, tellMemory, timeOf } from '../process-cost.ts';

const help = `usage: npm run bench -- pstore [--rounds N] [--json]

What it costs to read regions of persistent RAM that are full: dumps, half of them compressed, console, pmsg. And the whole process of
vm_pstore_dump, beside a Node.js that does nothing.

  --rounds N  how often (default 9); the figures are medians
  --json      results as JSON in place of a table`;

const MIB = 1 << 20;
const program = join(repository, 'services/pstore-dump/dist/main.cjs');

/** `npm run bench -- pstore`. Resolves to an exit status. */
export async function benchPstore(args: string[], signal: AbortSignal): Promise<number> {
  const { help: wanted, json, rounds } = parseCostOptions(args);
  if (wanted) {
    console.log(help);
    return 0;
  }
  execFileSync(process.execPath, ['scripts/build.ts', 'services/pstore-dump'], {
    cwd: repository,
    stdio: 'pipe',
  });
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-bench-pstore-'));
  try {
    const rows = [...reading(rounds, signal), ...processes(folder, rounds, signal)];
    console.log(json ? JSON.stringify(rows, null, 2) : costTable(rows));
  } finally {
    rmSync(folder, { recursive: true });
  }
  return 0;
}

function reading(rounds: number, signal: AbortSignal): Cost[] {
  const cases = [
    { size: MIB, ecc: 0, target: 5 },
    { size: MIB, ecc: 16, target: 60 },
    { size: 64 * MIB, ecc: 0, target: 1000 },
    { size: 64 * MIB, ecc: 16, target: 4000 },
  ];
  return cases.map(({ size, ecc, target }) => {
    const { layout, region } = fullRegion(size, ecc);
    // Warm: the code is compiled when it is measured.
    const warmUp = size === MIB ? 30 : 1;
    const times: number[] = [];
    for (let round = -warmUp; round < rounds; round++) {
      signal.throwIfAborted();
      const time = timeOf(() => readRamoops(region, layout));
      if (round >= 0) times.push(time);
    }
    const parity = ecc > 0 ? `ecc ${ecc}` : 'without ECC';
    return { name: `${size / MIB} MiB, ${parity}`, measured: median(times), target, unit: 'ms' };
  });
}

function processes(folder: string, rounds: number, signal: AbortSignal): Cost[] {
  const [small, large] = [join(folder, 'small'), join(folder, 'large')];
  writeFileSync(small, fullRegion(MIB, 0).region);
  writeFileSync(large, fullRegion(64 * MIB, 16).region);
  const run = (...args: string[]) =>
    execFileSync(process.execPath, args, { stdio: 'pipe', maxBuffer: 256 * MIB });
  const idle: number[] = [];
  const dump: number[] = [];
  for (let round = -1; round < rounds; round++) {
    signal.throwIfAborted();
    const times = [timeOf(() => run('-e', '0')), timeOf(() => run(program, '--file', small))] as const;
    if (round < 0) continue;
    idle.push(times[0]);
    dump.push(times[1]);
  }
  return [
    {
      name: 'vm_pstore_dump, 1 MiB, whole process',
      measured: median(dump),
      target: median(idle) + 30,
      unit: 'ms',
      note: `node -e 0 (${median(idle).toFixed(0)} ms) + 30 ms`,
    },
    {
      name: 'vm_pstore_dump --all, 64 MiB, ecc 16, memory beside that of node -e 0',
      measured: memoryOf(program, '--file', large, '--all') - memoryOf('-e', '0'),
      target: (3 * 64 * MIB) / 1e6,
      unit: 'MB',
      note: 'three times the region',
    },
  ];
}

/** Every zone is full. */
function fullRegion(size: number, ecc: number): { layout: RamoopsLayout; region: Uint8Array } {
  const layout = {
    memSize: size,
    recordSize: 0x20000,
    consoleSize: size / 4,
    ftraceSize: 0,
    pmsgSize: size / 16,
    ecc,
  };
  const line = (index: number) =>
    `<6>[${String(index).padStart(5)}.${String((index * 7919) % 1e6).padStart(6, '0')}] eth${index % 7}: link is ${index % 3 ? 'up' : 'down'}, ${index * 31} packets\n`;
  const log = Array.from({ length: 3300 }, (_, index) => line(index)).join('');
  const zones = Math.floor((size - size / 4 - size / 16) / 0x20000);
  const dumps = Array.from({ length: zones }, (_, index) => ({
    seconds: 1_795_400_000 + index,
    log,
    compression: index % 2 === 0 ? ('deflate' as const) : ('none' as const),
  }));
  const text = log.repeat(Math.ceil(size / 4 / log.length) + 1);
  return { layout, region: buildRamoops({ layout, dumps, console: text, pmsg: text }) };
}

function memoryOf(...args: string[]): number {
  const words = [process.execPath, '--import', tellMemory, ...args];
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const told = execFileSync('sh', ['-c', `${quoted} 2>&1 >/dev/null`], { encoding: 'utf8' });
  return (Number(told.trim().split('\n').at(-1)) * 1024) / 1e6;
}
