// A handler for kernel.core_pattern, in ten lines: `|/path/to/node --conditions=@vm-tools/source /path/to/main.ts /var/crash %P %e`.
// The kernel pipes the core to it and holds the process meanwhile (kernel.core_pipe_limit must not be 0).
import { createWriteStream } from 'node:fs';
import { convertCore } from '@vm-tools/minidump/host';

const [folder, pid, name] = process.argv.slice(2);
const path = `${folder}/${name?.replaceAll(/[^\w.-]/g, '_')}.${pid}.dmp`;
const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
const { threads, signal, softErrors } = await convertCore(0, file, { proc: `/proc/${pid}` });
file.end();
console.error(`${path}: signal ${signal}, ${threads} threads`, ...softErrors.map(({ message }) => message));
