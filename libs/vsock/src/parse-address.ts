import {
  type Address,
  Cid,
  type HybridAddress,
  type InheritedAddress,
  type TcpAddress,
  type UnixAbstractAddress,
  type UnixAddress,
  VSOCK_PORT_ANY,
  type VsockAddress,
} from './address.ts';
import { AddressError, type AddressErrorCode } from './address-error.ts';
import { ipv6Groups, isIpv4 } from './ip.ts';

export type AddressPurpose = 'listen' | 'connect';

const MAX_U32 = 0xffffffff;
const MAX_U16 = 0xffff;
const MAX_FD = 0x7fffffff;
/** sun_path of sockaddr_un (unix(7)) holds 108 bytes, one of them for the NUL at the end or the beginning. */
const MAX_UNIX_BYTES = 107;

/** What follows the first colon, and what it takes to say where something in it is wrong. */
interface Rest {
  readonly text: string;
  readonly rest: string;
  /** Of `rest` in `text`. */
  readonly offset: number;
  readonly purpose: AddressPurpose;
}

/**
 * Reads an address (see the README for the grammar). What only makes sense for the other purpose is refused:
 * `vsock:PORT`, the CID `any` and port 4294967295 to connect to, TCP port 0 likewise.
 *
 * @throws {AddressError}
 */
export function parseAddress(text: string, { for: purpose }: { for: AddressPurpose }): Address {
  const colon = text.indexOf(':');
  const parse = colon < 0 ? undefined : SCHEMES.get(text.slice(0, colon));
  if (!parse) {
    throw new AddressError({
      code: 'ERR_ADDRESS_SCHEME',
      text,
      offset: 0,
      problem:
        colon < 0
          ? 'no kind of address stands before a colon'
          : `${quote(text.slice(0, colon))} is no kind of address`,
      remedy: closestForm(text),
    });
  }
  return parse({ text, rest: text.slice(colon + 1), offset: colon + 1, purpose });
}

const SCHEMES: ReadonlyMap<string, (rest: Rest) => Address> = new Map<string, (rest: Rest) => Address>([
  ['vsock', parseVsock],
  ['hybrid', parseHybrid],
  ['unix', parseUnix],
  ['unix-abstract', parseUnixAbstract],
  ['unix-fd', parseInherited],
  ['tcp', parseTcp],
]);

function parseVsock(rest: Rest): VsockAddress {
  const url = rest.rest.startsWith('//');
  const parts = rest.rest.slice(url ? 2 : 0).split(':');
  const offset = rest.offset + (url ? 2 : 0);
  const form = rest.purpose === 'listen' ? 'vsock:PORT or vsock:CID:PORT' : 'vsock:CID:PORT';
  const [first = '', second] = parts;
  if (parts.length > 2 || (url && (second === undefined || first === ''))) {
    const count = parts.length > 2 ? 'more than a CID and a port follow' : 'a CID and a port should follow';
    fail(rest, 'ERR_ADDRESS_FORM', offset, count, form);
  }
  const cid = second === undefined || first === '' ? Cid.any : parseCid(rest, first, offset);
  if (cid === Cid.any && rest.purpose === 'connect') {
    const problem =
      second === undefined
        ? 'no CID says whom to connect to'
        : 'any CID can be listened on, but not connected to';
    fail(
      rest,
      'ERR_ADDRESS_PURPOSE',
      offset,
      problem,
      `${form}, with the CID of the guest, or host or local`,
    );
  }
  const portOffset = second === undefined ? offset : offset + first.length + 1;
  const port = parseNumber(rest, 'ERR_ADDRESS_PORT', 'port', second ?? first, portOffset, MAX_U32);
  if (port === VSOCK_PORT_ANY && rest.purpose === 'connect') {
    const problem = `port ${port} stands for any port, which cannot be connected to`;
    fail(rest, 'ERR_ADDRESS_PURPOSE', portOffset, problem, 'the port that the peer listens on');
  }
  return { kind: 'vsock', cid, port };
}

function parseCid(rest: Rest, text: string, offset: number): number {
  if (Object.hasOwn(Cid, text)) return Cid[text as keyof typeof Cid];
  const cid = decimal(text);
  if (cid === undefined || cid > MAX_U32) {
    const names = Object.keys(Cid).join(', ');
    const problem = `${quote(text)} is not a CID`;
    fail(rest, 'ERR_ADDRESS_CID', offset, problem, `a number from 0 to ${MAX_U32} or one of ${names}`);
  }
  return cid;
}

function parseHybrid(rest: Rest): HybridAddress {
  // The last colon: the path may hold others.
  const colon = rest.rest.lastIndexOf(':');
  if (colon < 0) {
    fail(rest, 'ERR_ADDRESS_FORM', rest.offset, 'no port follows the path', 'hybrid:/path:PORT');
  }
  const path = rest.rest.slice(0, colon);
  const port = parseNumber(
    rest,
    'ERR_ADDRESS_PORT',
    'port',
    rest.rest.slice(colon + 1),
    rest.offset + colon + 1,
    MAX_U32,
  );
  // Who listens on a port has a socket of its own, whose name is longer.
  checkPath(rest, path, rest.purpose === 'listen' ? `_${port}` : '');
  return { kind: 'hybrid', path, port };
}

function parseUnix(rest: Rest): UnixAddress {
  checkPath(rest, rest.rest, '');
  return { kind: 'unix', path: rest.rest };
}

function checkPath(rest: Rest, path: string, suffix: string): void {
  if (!path.startsWith('/')) {
    const problem = path === '' ? 'the path is missing' : `the path ${quote(path)} is relative`;
    fail(rest, 'ERR_ADDRESS_PATH', rest.offset, problem, 'an absolute path, which begins with /');
  }
  checkBytes(rest, 'ERR_ADDRESS_PATH', 'path', path, suffix);
}

function parseUnixAbstract(rest: Rest): UnixAbstractAddress {
  if (rest.rest === '') {
    fail(rest, 'ERR_ADDRESS_NAME', rest.offset, 'the name is missing', 'unix-abstract:NAME');
  }
  checkBytes(rest, 'ERR_ADDRESS_NAME', 'name', rest.rest, '');
  return { kind: 'unix-abstract', name: rest.rest };
}

function checkBytes(rest: Rest, code: AddressErrorCode, what: string, text: string, suffix: string): void {
  const nul = text.indexOf('\0');
  if (nul >= 0) {
    fail(rest, code, rest.offset + nul, `the ${what} holds a NUL`, `a ${what} without it`);
  }
  // A lone surrogate has no UTF-8 form: Node would open another path than the one that was written.
  const surrogate = text.search(/\p{Surrogate}/u);
  if (surrogate >= 0) {
    fail(
      rest,
      code,
      rest.offset + surrogate,
      `the ${what} is not well-formed Unicode`,
      `a ${what} that is UTF-8`,
    );
  }
  const bytes = new TextEncoder().encode(text + suffix).length;
  if (bytes > MAX_UNIX_BYTES) {
    const size = suffix ? `${bytes} bytes with its ${quote(suffix)}` : `${bytes} bytes`;
    const remedy = `a shorter ${what}: Linux takes at most ${MAX_UNIX_BYTES} bytes`;
    fail(rest, code, rest.offset, `the ${what} has ${size}`, remedy);
  }
}

function parseInherited(rest: Rest): InheritedAddress {
  const fd = parseNumber(rest, 'ERR_ADDRESS_FD', 'descriptor', rest.rest, rest.offset, MAX_FD);
  return { kind: 'unix-fd', fd };
}

function parseTcp(rest: Rest): TcpAddress {
  const bracketed = /^\[([^[\]]*)\](?::(.*))?$/s.exec(rest.rest);
  const colon = rest.rest.lastIndexOf(':');
  const host = bracketed ? (bracketed[1] ?? '') : rest.rest.slice(0, Math.max(colon, 0));
  const port = bracketed ? bracketed[2] : colon < 0 ? undefined : rest.rest.slice(colon + 1);
  if (port === undefined) {
    fail(rest, 'ERR_ADDRESS_FORM', rest.offset, 'no port follows the host', 'tcp:HOST:PORT');
  }
  checkHost(rest, host, bracketed !== null);
  const portOffset = rest.text.length - port.length;
  const number = parseNumber(rest, 'ERR_ADDRESS_PORT', 'port', port, portOffset, MAX_U16);
  if (number === 0 && rest.purpose === 'connect') {
    const problem = 'port 0 stands for any free port, which cannot be connected to';
    fail(rest, 'ERR_ADDRESS_PURPOSE', portOffset, problem, 'the port that the peer listens on');
  }
  return { kind: 'tcp', host, port: number };
}

function checkHost(rest: Rest, host: string, bracketed: boolean): void {
  const refuse = (problem: string, remedy: string) =>
    fail(rest, 'ERR_ADDRESS_HOST', rest.offset, problem, remedy);
  if (bracketed) {
    if (!ipv6Groups(host))
      refuse(`${quote(host)} is not an IPv6 address`, 'one in the brackets, as in tcp:[::1]:PORT');
    return;
  }
  if (host === '') {
    const everywhere = rest.purpose === 'listen' ? ', or 0.0.0.0 or [::] for every interface' : '';
    refuse('the host is missing', `tcp:HOST:PORT${everywhere}`);
  }
  if (host.includes(':')) refuse(`the host ${quote(host)} holds a colon`, 'brackets around an IPv6 address');
  if (isIpv4(host)) return;
  if (host.length > 253 || !/^[a-z0-9_][a-z0-9_-]*(?:\.[a-z0-9_][a-z0-9_-]*)*\.?$/i.test(host)) {
    refuse(`${quote(host)} is not a host name`, 'a name, an IPv4 address or an IPv6 address in brackets');
  }
  // Resolvers read 127.1 and 0x7f.1 as addresses too, each in its own way.
  if (/(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/i.test(host)) {
    refuse(`${quote(host)} is not an IPv4 address`, 'four numbers from 0 to 255 with dots between');
  }
}

function parseNumber(
  rest: Rest,
  code: AddressErrorCode,
  what: string,
  text: string,
  offset: number,
  max: number,
): number {
  const value = decimal(text);
  if (value !== undefined && value <= max) return value;
  const problem =
    text === ''
      ? `the ${what} is missing`
      : value === undefined
        ? `${quote(text)} is not a ${what}`
        : `the ${what} ${text} is too large`;
  fail(rest, code, offset, problem, `a ${what} from 0 to ${max}`);
}

/** Plain digits alone: no sign, no space, no leading zero that could be meant as octal. */
function decimal(text: string): number | undefined {
  return /^(?:0|[1-9][0-9]*)$/.test(text) ? Number(text) : undefined;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function fail(rest: Rest, code: AddressErrorCode, offset: number, problem: string, remedy: string): never {
  throw new AddressError({ code, text: rest.text, offset, problem, remedy });
}

/** A guess at what was meant: a bare path, a bare `ip:port`, a scheme in capitals. */
function closestForm(text: string): string {
  if (text.startsWith('/')) return `unix:${text}`;
  if (/^(?:[0-9.]+|\[[0-9a-f:.]*\]):[0-9]+$/i.test(text)) return `tcp:${text}`;
  const scheme = text.slice(0, Math.max(text.indexOf(':'), 0)).toLowerCase();
  if (SCHEMES.has(scheme)) return `${scheme}:${text.slice(scheme.length + 1)}`;
  return 'vsock:CID:PORT, hybrid:/path:PORT, unix:/path, unix-abstract:NAME, unix-fd:N or tcp:HOST:PORT';
}
