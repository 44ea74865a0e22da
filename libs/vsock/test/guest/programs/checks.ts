import { datagramChecks, messageChecks, noDatagramChecks } from './message-checks.ts';
import { processChecks } from './process-checks.ts';
import { crowdChecks, streamChecks } from './stream-checks.ts';
import { webChecks } from './web-checks.ts';

type Check = () => Promise<void>;

/** Sets of checks by what they are for. */
export const checks: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  /** What depends on the release of Node.js and on the style of sockets. */
  streams: { ...streamChecks, ...webChecks },
  /** What does not. */
  rest: { ...crowdChecks, ...messageChecks, ...noDatagramChecks, ...processChecks },
  /** In a guest with a transport that has datagrams. */
  datagrams: datagramChecks,
};
