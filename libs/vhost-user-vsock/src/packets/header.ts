/** Where the fields of struct virtio_vsock_hdr lie (virtio specification, 5.10.6), little-endian, in bytes. */
export const HeaderField = {
  sourceCid: 0, // u64
  destinationCid: 8, // u64
  sourcePort: 16, // u32
  destinationPort: 20, // u32
  length: 24, // u32, of what follows the header
  type: 28, // u16
  operation: 30, // u16
  flags: 32, // u32
  bufferSize: 36, // u32, buf_alloc
  forwarded: 40, // u32, fwd_cnt
} as const;

export const HEADER_BYTES = 44;
export const TYPE_STREAM = 1;

/** enum virtio_vsock_op */
export const Operation = {
  request: 1,
  response: 2,
  reset: 3,
  shutdown: 4,
  data: 5,
  creditUpdate: 6,
  creditRequest: 7,
} as const;

/** enum virtio_vsock_shutdown: what the sender will not do any more. */
export const Shutdown = { receive: 1, send: 2, both: 3 } as const;

/** The header of a packet from the guest. One object is used over and over. */
export class Header {
  /** Of 64 bits: exact as far as a CID can be one. */
  sourceCid = 0;
  destinationCid = 0;
  sourcePort = 0;
  destinationPort = 0;
  length = 0;
  type = 0;
  operation = 0;
  flags = 0;
  bufferSize = 0;
  forwarded = 0;

  read(view: DataView, at: number): void {
    this.sourceCid = readU64(view, at + HeaderField.sourceCid);
    this.destinationCid = readU64(view, at + HeaderField.destinationCid);
    this.sourcePort = view.getUint32(at + HeaderField.sourcePort, true);
    this.destinationPort = view.getUint32(at + HeaderField.destinationPort, true);
    this.length = view.getUint32(at + HeaderField.length, true);
    this.type = view.getUint16(at + HeaderField.type, true);
    this.operation = view.getUint16(at + HeaderField.operation, true);
    this.flags = view.getUint32(at + HeaderField.flags, true);
    this.bufferSize = view.getUint32(at + HeaderField.bufferSize, true);
    this.forwarded = view.getUint32(at + HeaderField.forwarded, true);
  }

  write(view: DataView, at: number): void {
    writeU64(view, at + HeaderField.sourceCid, this.sourceCid);
    writeU64(view, at + HeaderField.destinationCid, this.destinationCid);
    view.setUint32(at + HeaderField.sourcePort, this.sourcePort, true);
    view.setUint32(at + HeaderField.destinationPort, this.destinationPort, true);
    view.setUint32(at + HeaderField.length, this.length, true);
    view.setUint16(at + HeaderField.type, this.type, true);
    view.setUint16(at + HeaderField.operation, this.operation, true);
    view.setUint32(at + HeaderField.flags, this.flags, true);
    view.setUint32(at + HeaderField.bufferSize, this.bufferSize, true);
    view.setUint32(at + HeaderField.forwarded, this.forwarded, true);
  }
}

function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
}

function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}
