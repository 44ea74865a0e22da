/**
 * A kernel of 51 bytes, which any machine boots in no time: it says "ready" on the serial port, repeats what is typed, and
 * powers off at "q" (on a q35, whose firmware puts the power register at 0x604).
 *
 * The image is ELF64 with a PVH note: QEMU enters it in 32-bit protected mode without paging. Source: the Xen project's
 * docs/misc/pvh.pandoc, and elf(5).
 */
export function echoKernel(): Buffer {
  const code = Buffer.concat([
    // esi = message; while ((al = *esi++)) out(0x3f8, al)
    bytes(0xbe, ...word(LOAD_ADDRESS + MESSAGE_OFFSET), 0xac, 0x84, 0xc0, 0x74, 0x07),
    bytes(0x66, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xf4),
    // while (!(in(0x3fd) & 1)); al = in(0x3f8)
    bytes(0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7, 0x66, 0xba, 0xf8, 0x03, 0xec),
    // if (al != 'q') { out(0x3f8, al); again }
    bytes(0x3c, 0x71, 0x74, 0x03, 0xee, 0xeb, 0xeb),
    // out(0x604, SLP_EN); for (;;) hlt
    bytes(0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef, 0xf4, 0xeb, 0xfd),
  ]);
  const image = Buffer.alloc(MESSAGE_OFFSET + 16);
  code.copy(image);
  image.write('ready\r\n\0', MESSAGE_OFFSET);

  const file = Buffer.alloc(IMAGE_OFFSET + image.length);
  file.write('\x7fELF', 'latin1');
  file.set([2, 1, 1], 4);
  file.writeUInt16LE(2, 0x10); // executable
  file.writeUInt16LE(62, 0x12); // x86-64
  file.writeUInt32LE(1, 0x14);
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 0x18);
  file.writeBigUInt64LE(64n, 0x20);
  file.writeUInt16LE(64, 0x34);
  file.writeUInt16LE(56, 0x36);
  file.writeUInt16LE(2, 0x38);
  programHeader(file, 64, 1, IMAGE_OFFSET, LOAD_ADDRESS, image.length);
  programHeader(file, 120, 4, NOTE_OFFSET, 0, 24);
  // Note: length of name, length of value, XEN_ELFNOTE_PHYS32_ENTRY, name, entry.
  [4, 8, 18].forEach((value, index) => {
    file.writeUInt32LE(value, NOTE_OFFSET + 4 * index);
  });
  file.write('Xen\0', NOTE_OFFSET + 12);
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), NOTE_OFFSET + 16);
  image.copy(file, IMAGE_OFFSET);
  return file;
}

const LOAD_ADDRESS = 0x100000;
const MESSAGE_OFFSET = 64;
const NOTE_OFFSET = 176;
const IMAGE_OFFSET = 208;

function programHeader(
  file: Buffer,
  at: number,
  type: number,
  offset: number,
  address: number,
  size: number,
): void {
  file.writeUInt32LE(type, at);
  file.writeUInt32LE(7, at + 4);
  [offset, address, address, size, size, 4].forEach((value, index) => {
    file.writeBigUInt64LE(BigInt(value), at + 8 + 8 * index);
  });
}

function bytes(...values: number[]): Buffer {
  return Buffer.from(values);
}

function word(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}
