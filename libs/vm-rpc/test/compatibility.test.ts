import { join } from 'node:path';
import {
  clone,
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_timestamp,
} from '@bufbuild/protobuf/wkt';
import { Code, createClient } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { file_common } from '../src/gen/common_pb.ts';
import { file_vm_guest, Maitred, StartTerminaRequest_Feature } from '../src/gen/vm_guest_pb.ts';
import { file_vm_host, LogCollector, LogRequestSchema, LogSeverity } from '../src/gen/vm_host_pb.ts';
import { createVmTransport, serveRpc } from '../src/index.ts';
import { temporaryFolder } from './folder.ts';
import { wireTables } from './wire-table.ts';

/** What a program of January 2021 knew: our files without all that the tables did not have then. */
const old = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [file_google_protobuf_timestamp.proto, ...[file_common, file_vm_guest, file_vm_host].map(asOf2021)],
  }),
);

function asOf2021({ proto, name }: { proto: FileDescriptorProto; name: string }): FileDescriptorProto {
  const rows = (wireTables.get(name) ?? []).filter((row) => row.in_2021);
  const types = new Set(
    rows.filter(({ kind }) => kind === 'message' || kind === 'enum').map((row) => row.container),
  );
  const members = new Set(rows.map((row) => `${row.container}.${row.name}`));
  const file = clone(FileDescriptorProtoSchema, proto);
  const inside = (scope: string) => (each: { name: string }) => members.has(`${scope}.${each.name}`);
  const reduce = (message: DescriptorProto, scope: string): void => {
    message.field = message.field.filter(inside(scope));
    message.enumType = message.enumType.filter((each) => types.has(`${scope}.${each.name}`));
    for (const each of message.enumType) each.value = each.value.filter(inside(`${scope}.${each.name}`));
    for (const nested of message.nestedType)
      if (!nested.options?.mapEntry) reduce(nested, `${scope}.${nested.name}`);
  };
  file.messageType = file.messageType.filter((each) => types.has(each.name));
  for (const message of file.messageType) reduce(message, message.name);
  file.enumType = file.enumType.filter((each) => types.has(each.name));
  for (const each of file.enumType) each.value = each.value.filter(inside(each.name));
  for (const service of file.service) service.method = service.method.filter(inside(service.name));
  return file;
}

const oldService = (name: string) => (old as FileRegistry).getService(name) as DescService;
const oldMessage = (name: string) => (old as FileRegistry).getMessage(name) as DescMessage;

/** A message of a type that is only known at run time, as text. */
const told = (bytes: Uint8Array, schema: DescMessage) => reflect(schema, fromBinary(schema, bytes));

test('the old program is really old', () => {
  expect(oldMessage('vm_tools.LogRequest').fields.map(({ name }) => name)).toEqual(['records']);
  expect(oldService('vm_tools.Maitred').methods).toHaveLength(16);
  expect(Maitred.methods).toHaveLength(20);
  expect(old.getMessage('vm_tools.SetUpUserRequest')).toBeUndefined();
});

const request: MessageInitShape<typeof LogRequestSchema> = {
  records: [
    { severity: LogSeverity.ERROR, timestamp: { seconds: 5n, nanos: 6 }, content: Buffer.from('oops') },
  ],
  sender: 'me',
  batch: 7n,
};

test('an extension is skipped by old programs, and handed on by them', () => {
  const schema = oldMessage('vm_tools.LogRequest');
  const bytes = toBinary(LogRequestSchema, create(LogRequestSchema, request));
  const seen = told(bytes, schema);
  expect(seen.fields.map(({ name }) => name)).toEqual(['records']);
  const handedOn = fromBinary(LogRequestSchema, toBinary(schema, seen.message));
  expect(handedOn).toMatchObject({ sender: 'me', batch: 7n });
});

test('what an old program sends is a request without the extension', () => {
  const schema = oldMessage('vm_tools.LogRequest');
  const message = create(schema);
  expect(fromBinary(LogRequestSchema, toBinary(schema, message))).toMatchObject({ sender: '', batch: 0n });
});

test('a new client calls an old server: what that does not know it skips, or says that it has it not', async () => {
  using folder = temporaryFolder();
  const requests: unknown[] = [];
  await using server = await serveRpc(`unix:${join(folder.path, 'rpc.sock')}`, (router) => {
    router.service(oldService('vm_tools.LogCollector'), {
      collectUserLogs: (seen: never) => {
        requests.push(seen);
        return {};
      },
    } as never);
    router.service(oldService('vm_tools.Maitred'), {
      startTermina: (seen: never) => {
        requests.push(seen);
        return { mountResult: 2 };
      },
    } as never);
  });
  await using transport = createVmTransport(server.address);
  await createClient(LogCollector, transport).collectUserLogs(request);
  const maitred = createClient(Maitred, transport);
  const { LXD_5_LTS, USED_BY_TESTS } = StartTerminaRequest_Feature;
  const answer = await maitred.startTermina({
    statefulDevice: '/dev/vdb',
    feature: [USED_BY_TESTS, LXD_5_LTS],
  });
  expect(answer).toMatchObject({ mountResult: 2, freeBytes: 0n, freeBytesHasValue: false });
  await expect(maitred.setUpUser({ username: 'me' })).rejects.toMatchObject({ code: Code.Unimplemented });
  expect(requests).toMatchObject([
    { records: [{ severity: LogSeverity.ERROR, content: new Uint8Array(Buffer.from('oops')) }] },
    // proto3's enums are open: a number without a name stays a number.
    { statefulDevice: '/dev/vdb', feature: [USED_BY_TESTS, LXD_5_LTS] },
  ]);
});

test('an old client calls a new server, and skips what it does not know of the answer', async () => {
  using folder = temporaryFolder();
  const requests: unknown[] = [];
  await using server = await serveRpc(`unix:${join(folder.path, 'rpc.sock')}`, (router) => {
    router.service(LogCollector, {
      collectUserLogs: (seen) => {
        requests.push(seen);
        return {};
      },
    });
    router.service(Maitred, {
      startTermina: () => ({ mountResult: 1, freeBytes: 5n, freeBytesHasValue: true }),
    });
  });
  await using transport = createVmTransport(server.address);
  const logs = createClient(oldService('vm_tools.LogCollector'), transport) as unknown as Record<
    string,
    (request: object) => Promise<object>
  >;
  const maitred = createClient(oldService('vm_tools.Maitred'), transport) as typeof logs;
  const { records } = request;
  await logs['collectUserLogs']?.({ records });
  expect(requests).toMatchObject([{ records: [{ severity: LogSeverity.ERROR }], sender: '', batch: 0n }]);
  const answer = await maitred['startTermina']?.({ statefulDevice: '/dev/vdb' });
  expect(answer).toMatchObject({ mountResult: 1 });
  expect(answer).not.toHaveProperty('freeBytes');
});
