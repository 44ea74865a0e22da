import { Name } from '../name.ts';
import { QID_SIZE, Qid } from '../wire/qid.ts';
import { WireError } from '../wire/wire-error.ts';

/** An entry of a directory, as readdir gives it. */
export interface DirectoryEntry {
  /** Bytes of its own, which need not be UTF-8; `String(entry.name)` decodes them. */
  name: Name;
  qid: Qid;
  /** DT_* of readdir(3): 4 directory, 8 regular file, 10 symlink; 0 when the server does not say. */
  type: number;
  /** Where reading the directory goes on after this entry. */
  next: bigint;
}

/** Bytes of an entry without its name: qid[13] offset[8] type[1] name[s]. */
const ENTRY_SIZE = QID_SIZE + 8 + 1 + 2;

/** The entries in the data of an Rreaddir (the 9P2000.L protocol, "readdir"). Throws WireError when they are cut short. */
export function decodeEntries(data: Uint8Array): DirectoryEntry[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const entries: DirectoryEntry[] = [];
  let at = 0;
  while (at < data.length) {
    need(data, at, ENTRY_SIZE);
    const length = view.getUint16(at + ENTRY_SIZE - 2, true);
    const end = at + ENTRY_SIZE + length;
    need(data, at, ENTRY_SIZE + length);
    const qid = new Qid(view.getUint8(at), view.getUint32(at + 1, true), view.getBigUint64(at + 5, true));
    entries.push({
      qid,
      next: view.getBigUint64(at + QID_SIZE, true),
      type: view.getUint8(at + QID_SIZE + 8),
      name: new Name(data.slice(at + ENTRY_SIZE, end)),
    });
    at = end;
  }
  return entries;
}

function need(data: Uint8Array, at: number, size: number): void {
  if (size <= data.length - at) return;
  throw new WireError('ERR_P9_FIELD_OVERRUN', {
    offset: at,
    messageName: 'Rreaddir',
    field: 'data',
    expected: `an entry of ${size} bytes or more`,
    found: `${data.length - at} left (data of ${data.length})`,
  });
}
