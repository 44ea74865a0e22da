/** Requests of the VMM (QEMU, docs/interop/vhost-user.rst, "Front-end message types"). */
export const Request = {
  getFeatures: 1,
  setFeatures: 2,
  setOwner: 3,
  resetOwner: 4,
  setMemTable: 5,
  setVringNum: 8,
  setVringAddr: 9,
  setVringBase: 10,
  getVringBase: 11,
  setVringKick: 12,
  setVringCall: 13,
  setVringErr: 14,
  getProtocolFeatures: 15,
  setProtocolFeatures: 16,
  getQueueNum: 17,
  setVringEnable: 18,
  getConfig: 24,
  setConfig: 25,
  getMaxMemSlots: 36,
  addMemReg: 37,
  remMemReg: 38,
} as const;

/** u32 request, u32 flags, u32 size of what follows. */
export const MESSAGE_HEADER_BYTES = 12;
/** Ours are far shorter. */
export const LONGEST_PAYLOAD = 4096;

/** Flags of a message: the version in two bits, and these. */
export const VERSION = 1;
export const VERSION_MASK = 3;
export const IS_REPLY = 4;
export const NEEDS_REPLY = 8;

/** Feature bits of virtio and vhost. */
export const Feature = {
  indirectDescriptors: 1n << 28n,
  eventIndex: 1n << 29n,
  protocolFeatures: 1n << 30n,
  version1: 1n << 32n,
} as const;

/** Feature bits of the protocol itself. */
export const ProtocolFeature = {
  multiqueue: 1n << 0n,
  replyAck: 1n << 3n,
  config: 1n << 9n,
  configureMemSlots: 1n << 15n,
} as const;

/** Bits of the u64 that comes with a ring's eventfds: which ring, and that there is none. */
export const RING_INDEX_MASK = 0xff;
export const NO_DESCRIPTOR = 0x100;

/** Memory regions in one SET_MEM_TABLE, and in all with CONFIGURE_MEM_SLOTS. */
export const MAX_TABLE_REGIONS = 8;
export const MAX_MEMORY_SLOTS = 256;
/** u64 guest address, u64 size, u64 user address, u64 offset. */
export const REGION_BYTES = 32;
