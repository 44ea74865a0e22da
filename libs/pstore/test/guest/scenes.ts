import type { Machine } from './persistent-ram.ts';

/** A machine, and what is done on it, boot after boot, each to its end. */
export interface Scene extends Machine {
  readonly name: string;
  readonly boots: readonly string[];
}

const LAYOUT = {
  memSize: 0x40000,
  recordSize: 0x8000,
  consoleSize: 0x4000,
  ftraceSize: 0x4000,
  pmsgSize: 0x2000,
  ecc: 0,
};
/** No traces: with parity the kernel shows them at the wrong byte. */
const UNTRACED = { ...LAYOUT, ftraceSize: 0 };

const panic = 'echo c > /proc/sysrq-trigger';
const trace = 'echo 1 > /sys/kernel/debug/pstore/record_ftrace';
const endTrace = 'echo 0 > /sys/kernel/debug/pstore/record_ftrace';
const messages = 'for i in 1 2 3; do echo "message $i of user space" > /dev/pmsg0; done';
const oops = (kind: string) => `(echo ${kind} > /sys/kernel/debug/provoke-crash/DIRECT) 2>&1 || true`;
/** Lines on the console, and so in the log. */
const lines = (count: number, text = 'something happened') =>
  `i=0; while [ $i -lt ${count} ]; do echo "<6>line $i: ${text}" > /dev/kmsg; i=$((i+1)); done`;
/** A script of such steps. */
const steps = (...each: string[]) => each.join('\n');

const everything = [steps(messages, lines(40), trace, 'ls /proc/self', panic)];

/** Each is recorded, and shown by the next boot. */
export const scenes: readonly Scene[] = [
  ...['deflate', 'lzo', 'lz4', 'lz4hc', '842', 'zstd'].map((compress) => ({
    name: `compressed with ${compress}`,
    layout: LAYOUT,
    cmdline: `pstore.compress=${compress}`,
    boots: everything,
  })),
  { name: 'not compressed', layout: LAYOUT, cmdline: 'pstore.compress=none', boots: everything },
  ...[1, 2, 5, 16, 32, 64, 127].map((ecc) => ({
    name: `ecc=${ecc}`,
    layout: { ...UNTRACED, ecc },
    boots: [steps(messages, lines(40), panic)],
  })),
  ...['lzo', 'lz4', 'zstd', '842'].map((compress) => ({
    name: `compressed with ${compress}, ecc=16`,
    layout: { ...UNTRACED, ecc: 16 },
    cmdline: `pstore.compress=${compress}`,
    boots: [steps(oops('BUG'), lines(40), panic)],
  })),
  // Short ones: for each call the kernel computes the parity of a block, which takes long on an emulated CPU.
  {
    name: 'traces with parity',
    layout: { ...LAYOUT, ecc: 1 },
    boots: [steps(messages, trace, endTrace, panic)],
  },
  {
    name: 'traces of two CPUs',
    cpus: 2,
    layout: LAYOUT,
    boots: [steps('busy() { ls -R /sys/kernel >/dev/null; }', trace, 'busy & busy & wait', panic)],
  },
  {
    name: 'traces of three CPUs with parity',
    cpus: 3,
    layout: { ...LAYOUT, ecc: 16 },
    boots: [steps(trace, endTrace, panic)],
  },
  {
    name: 'traces that do not fill their zone',
    layout: { ...LAYOUT, ftraceSize: 0x20000, consoleSize: 0x1000 },
    boots: [steps(trace, endTrace, panic)],
  },
  ...[0, 16].flatMap((ecc) => [
    {
      name: `a console that has wrapped, ecc=${ecc}`,
      layout: { ...UNTRACED, ecc },
      boots: [steps(lines(1500), panic)],
    },
    {
      name: `messages that have wrapped, ecc=${ecc}`,
      layout: { ...UNTRACED, ecc },
      boots: [
        steps(
          'i=0; while [ $i -lt 700 ]; do echo "message $i" > /dev/pmsg0; i=$((i+1)); done',
          'dd if=/dev/urandom of=/dev/pmsg0 bs=777 count=5 2>&1',
          panic,
        ),
      ],
    },
    {
      name: `a message larger than its zone, ecc=${ecc}`,
      layout: { ...UNTRACED, ecc },
      boots: [steps('dd if=/dev/urandom of=/dev/pmsg0 bs=20000 count=1 2>&1', panic)],
    },
  ]),
  {
    name: 'three oopses and a panic',
    layout: UNTRACED,
    boots: [steps(...['BUG', 'EXCEPTION', 'WRITE_RO'].map(oops), panic)],
  },
  {
    name: 'more oopses than zones',
    layout: { ...UNTRACED, memSize: 0x20000, ecc: 16 },
    boots: [
      steps(
        ...['BUG', 'EXCEPTION', 'WRITE_RO', 'EXEC_NULL', 'EXCEPTION', 'BUG', 'ACCESS_NULL'].map(oops),
        panic,
      ),
    ],
  },
  {
    name: 'oopses in zones that they do not fit into',
    layout: { ...UNTRACED, recordSize: 0x1000 },
    cmdline: 'pstore.compress=none',
    boots: [steps(oops('BUG'), lines(200), oops('EXCEPTION'), panic)],
  },
  {
    name: 'an emergency restart',
    layout: UNTRACED,
    cmdline: 'ramoops.max_reason=5',
    boots: [steps(lines(3), 'echo b > /proc/sysrq-trigger; sleep 1000')],
  },
  {
    name: 'a restart in order',
    layout: UNTRACED,
    cmdline: 'ramoops.max_reason=5 printk.always_kmsg_dump=1',
    boots: [steps(messages, 'reboot -f; sleep 1000')],
  },
  {
    name: 'three boots, the last of which has little to tell',
    layout: { ...UNTRACED, ecc: 1 },
    boots: [
      steps(oops('BUG'), oops('EXCEPTION'), oops('BUG'), messages, panic),
      steps(oops('EXCEPTION'), panic),
      panic,
    ],
  },
  {
    name: 'a machine that just went',
    layout: LAYOUT,
    boots: [steps(messages, 'reboot -f; sleep 1000')],
  },
  {
    name: 'one zone of each kind, and sizes that are no powers of two',
    layout: { ...LAYOUT, memSize: 0x15000, recordSize: 0x9000, consoleSize: 0x5555, pmsgSize: 0x1fff },
    boots: everything,
  },
  {
    name: 'zones that do not come out even',
    layout: { ...UNTRACED, memSize: 0x1f000, recordSize: 0x4000, ecc: 5 },
    boots: [steps(oops('BUG'), oops('BUG'), lines(500), messages, panic)],
  },
  {
    name: 'a console and nothing else',
    layout: { ...LAYOUT, memSize: 0x8000, recordSize: 0, consoleSize: 0x8000, ftraceSize: 0, pmsgSize: 0 },
    boots: [steps(lines(20, 'ä ünïcode \\x01 and a tab\t'), panic)],
  },
  {
    name: 'no console',
    layout: { ...LAYOUT, consoleSize: 0 },
    boots: everything,
  },
  {
    name: 'dumps alone',
    layout: { ...LAYOUT, memSize: 0x10000, recordSize: 0x4000, consoleSize: 0, ftraceSize: 0, pmsgSize: 0 },
    boots: [steps(oops('BUG'), panic)],
  },
  {
    name: "ChromeOS's Android VM",
    layout: {
      memSize: 0x100000,
      recordSize: 0x40000,
      consoleSize: 0x40000,
      ftraceSize: 0x1000,
      pmsgSize: 0x1000,
      ecc: 0,
    },
    boots: [steps(lines(300), trace, messages, oops('BUG'), panic)],
  },
];

/** What damage is done to: all kinds of zones, in boots of their own so that all zones of dumps are used. */
export const damagedScene = (ecc: number): Scene => ({
  name: `damage, ecc=${ecc}`,
  layout: { ...UNTRACED, memSize: 0x20000, recordSize: 0x4000, ecc },
  boots: [steps(messages, oops('BUG'), oops('EXCEPTION'), lines(600), panic)],
});
