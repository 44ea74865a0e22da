import { LogRecord, Severity } from '@vm-tools/syslog';
import type { LogRequest } from '@vm-tools/vm-rpc/vm-host';
import type { NumberedBatch } from './vm-log.ts';

/** A date of JavaScript reaches no further. */
const LAST_SECOND = 8_640_000_000_000n;

/** What a VM has sent, of which nothing is trusted: not its time, nor its severity. Records without a text are left out. */
export class RequestBatch implements NumberedBatch {
  readonly stream: string;
  readonly number: bigint;
  readonly #request: LogRequest;

  constructor(request: LogRequest) {
    this.#request = request;
    // Numbers begin with 1.
    this.stream = request.batch === 0n ? '' : request.sender;
    this.number = request.batch;
  }

  *records(): Generator<LogRecord> {
    const record = new LogRecord();
    const now = Math.floor(Date.now() / 1000);
    for (const { content, severity, timestamp } of this.#request.records) {
      if (content.length === 0) continue;
      const { seconds = -1n, nanos = 0 } = timestamp ?? {};
      const hasTime = seconds >= 0n && seconds < LAST_SECOND;
      record.reset(content, 0, content.length, hasTime ? Number(seconds) : now, hasTime ? nanos : 0);
      // syslog's, plus one; 0 is missing.
      if (severity >= 1 && severity <= 8) record.severity = severity - 1;
      else record.severity = Severity.notice;
      yield record;
    }
  }
}
