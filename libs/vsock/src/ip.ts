/** Four decimal numbers from 0 to 255, nothing that only some resolvers take for an address. */
export function isIpv4(host: string): boolean {
  const number = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
  return new RegExp(`^${number}(?:\\.${number}){3}$`).test(host);
}

/** The eight 16-bit groups of an IPv6 address (which may carry a zone, as in `fe80::1%eth0`), or undefined. */
export function ipv6Groups(host: string): number[] | undefined {
  const [, address = ''] = /^([0-9a-f:.]+)(?:%[0-9a-z_.-]+)?$/i.exec(host) ?? [];
  if (!address.includes(':')) return undefined;
  // The URL parser is in every runtime, and checks as it brings the address to its shortest form.
  if (!URL.canParse(`http://[${address}]/`)) return undefined;
  const shortest = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = shortest.split('::');
  const groups = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  if (tail === undefined) return groups(head);
  const before = groups(head);
  const after = groups(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}
