/** A socket that the service manager opened for this process. */
export interface PassedSocket {
  readonly fd: number;
  /** FileDescriptorName= of its unit, `unknown` without. */
  readonly name: string;
}

/** sd_listen_fds(3): the first of them. */
const LISTEN_FDS_START = 3;

/**
 * The sockets passed by socket activation: none when the variables are absent or meant for another process. The variables
 * are removed, so that no child takes the sockets for its own.
 */
export function passedSockets(
  env: NodeJS.ProcessEnv = process.env,
  pid: number = process.pid,
): PassedSocket[] {
  const { LISTEN_PID: forPid, LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = env;
  delete env['LISTEN_PID'];
  delete env['LISTEN_FDS'];
  delete env['LISTEN_FDNAMES'];
  if (forPid !== String(pid) || !/^[0-9]{1,5}$/.test(count)) return [];
  const each = names.split(':');
  return Array.from({ length: Number(count) }, (_, index) => ({
    fd: LISTEN_FDS_START + index,
    name: each[index] || 'unknown',
  }));
}
