import { InvalidValue } from '@vm-tools/daemon';

/** A virtual machine of this host. */
export interface Vm {
  readonly cid: number;
  readonly name: string;
  /** Whose it is. */
  readonly owner: string;
}

/** So that the name of its console socket still fits into an address. */
const LONGEST_NAME = 60;
const LONGEST_OWNER = 255;
const FIRST_CID = 3;
const LAST_CID = 0xffff_fffe;

/** Checks what someone says of a VM. @throws InvalidValue */
export function vmOf({ cid, name, owner }: { cid: unknown; name: unknown; owner: unknown }): Vm {
  const say = (problem: string, remedy: string) => new InvalidValue(problem, { remedy });
  if (typeof cid !== 'number' || !Number.isInteger(cid) || cid < FIRST_CID || cid > LAST_CID)
    throw say(`${JSON.stringify(cid)} is no CID of a VM`, `a number from ${FIRST_CID} to ${LAST_CID}`);
  if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > LONGEST_NAME)
    throw say(`${JSON.stringify(name)} is no name of a VM`, `one of 1 to ${LONGEST_NAME} bytes`);
  // It becomes the name of a directory.
  if (
    typeof owner !== 'string' ||
    !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(owner) ||
    owner.length > LONGEST_OWNER
  )
    throw say(`${JSON.stringify(owner)} is no owner`, 'letters, digits, "_", "-" and "."');
  return { cid, name, owner };
}

/** Reads `CID=NAME:OWNER`. @throws InvalidValue */
export function parseVm(text: string): Vm {
  const [, cid = '', name = '', owner = ''] = /^([1-9][0-9]*)=(.*):([^:]*)$/s.exec(text) ?? [];
  if (cid === '') {
    throw new InvalidValue(`${JSON.stringify(text)} names no VM`, { remedy: 'CID=NAME:OWNER' });
  }
  return vmOf({ cid: Number(cid), name, owner });
}

/** What the files of a VM are called: base64url, with padding, so that any name will do. */
export function encodedName(name: string): string {
  const text = Buffer.from(name).toString('base64url');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}
