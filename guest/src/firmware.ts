import { constants, existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { ToolError } from './tool.ts';

const CODE = '/usr/share/OVMF/OVMF_CODE.fd';
const VARIABLES = '/usr/share/OVMF/OVMF_VARS.fd';

/**
 * Arguments for QEMU's q35 to boot by EFI, with its variables in a file, which is made when it is not there yet. Rejects with
 * ToolError when the firmware is absent.
 */
export async function firmwareArguments(variables: string): Promise<string[]> {
  if (!existsSync(CODE)) {
    throw new ToolError(
      'ERR_TOOL_NOT_FOUND',
      `${CODE}: no such file; it is the firmware of guests that boot by EFI. Install it with: apt-get install ovmf`,
    );
  }
  await copyFile(VARIABLES, variables, constants.COPYFILE_EXCL).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const flash = (unit: number, file: string, more = '') =>
    `if=pflash,unit=${unit},format=raw,file=${file.replaceAll(',', ',,')}${more}`;
  return ['-drive', flash(0, CODE, ',readonly=on'), '-drive', flash(1, variables)];
}
