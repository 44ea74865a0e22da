/** Leads to what a descriptor refers to, whatever names that has by now (proc(5)); for calls that take no O_PATH descriptor. */
export function procPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
