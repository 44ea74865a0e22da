/** Random numbers that are the same each time (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    value ^= value + Math.imul(value ^ (value >>> 7), 61 | value);
    return ((value ^ (value >>> 14)) >>> 0) % limit;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** Lines such as a kernel logs, of about that many bytes. */
  log(length: number): string {
    let text = '';
    for (let line = 0; text.length < length; line++) {
      const stamp = `${String(line >> 3).padStart(5)}.${String(this.below(1e6)).padStart(6, '0')}`;
      const words = Array.from({ length: 1 + this.below(12) }, () => this.pick(WORDS));
      text += `<${this.below(8)}>[${stamp}] ${words.join(' ')}\n`;
    }
    return text;
  }
}

const WORDS = [
  ...[
    'usb',
    'device',
    'not',
    'responding',
    'eth0:',
    'link',
    'is',
    'up',
    'CPU:',
    '0',
    'PID:',
    '1234',
    'Comm:',
    'sh',
    'Tainted:',
  ],
  ...[
    'RIP:',
    '0010:sysrq_handle_crash+0x16/0x20',
    'Call',
    'Trace:',
    'RSP:',
    '0018:ffffb1e6c0003e98',
    'EFLAGS:',
    '00010246',
  ],
];
