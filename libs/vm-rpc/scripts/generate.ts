import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema, file_google_protobuf_timestamp } from '@bufbuild/protobuf/wkt';

export const protoFolder = fileURLToPath(new URL('../proto/', import.meta.url));
export const generatedFolder = fileURLToPath(new URL('../src/gen/', import.meta.url));
const binaries = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));

/** What protoc-gen-es is told: TypeScript that Node runs as it is. */
const OPTIONS = 'target=ts,import_extension=ts,erasable_syntax=true';

/** Every .proto file, as protoc names it. */
export function protoFiles(): string[] {
  return readdirSync(protoFolder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.proto'))
    .sort();
}

/**
 * Runs protoc on our .proto files.
 * @param output what it shall write, as in `--es_out=FOLDER`
 * @throws Error with what protoc said, or with how to install it
 */
export function protoc(...output: string[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'vm-rpc-protoc-'));
  try {
    // Debian has the .proto files of google.protobuf in a package of their own; the runtime has them anyhow.
    const wellKnown = join(folder, 'google.binpb');
    const set = create(FileDescriptorSetSchema, { file: [file_google_protobuf_timestamp.proto] });
    writeFileSync(wellKnown, toBinary(FileDescriptorSetSchema, set));
    const args = [
      `--proto_path=${protoFolder}`,
      `--descriptor_set_in=${wellKnown}`,
      ...output,
      ...protoFiles(),
    ];
    const env = { ...process.env, PATH: [binaries, process.env['PATH']].join(delimiter) };
    const { status, stderr, error } = spawnSync('protoc', args, { encoding: 'utf8', env });
    const remedy = 'apt-get install --no-install-recommends protobuf-compiler';
    if (error) throw new Error(`protoc cannot be started; ${remedy}`, { cause: error });
    if (status !== 0) throw new Error(`protoc failed:\n${stderr}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes the code of every .proto file into `folder`. */
export function generate(folder: string): void {
  protoc(`--es_out=${folder}`, `--es_opt=${OPTIONS}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate(generatedFolder);
