import { readFileSync } from 'node:fs';
import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescService,
  ScalarType,
} from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { file_chunneld_service } from '../src/gen/chunneld_service_pb.ts';
import { file_cicerone_service } from '../src/gen/cicerone_service_pb.ts';
import { file_common } from '../src/gen/common_pb.ts';
import { file_concierge_service } from '../src/gen/concierge_service_pb.ts';
import { file_container_guest } from '../src/gen/container_guest_pb.ts';
import { file_container_host } from '../src/gen/container_host_pb.ts';
import { file_seneschal_service } from '../src/gen/seneschal_service_pb.ts';
import { file_tremplin } from '../src/gen/tremplin_pb.ts';
import { file_vm_crash } from '../src/gen/vm_crash_pb.ts';
import { file_vm_guest } from '../src/gen/vm_guest_pb.ts';
import { file_vm_host } from '../src/gen/vm_host_pb.ts';
import { file_vsh } from '../src/gen/vsh_pb.ts';
import { type WireRow, wireTables } from './wire-table.ts';

const files: readonly DescFile[] = [
  file_common,
  file_vm_guest,
  file_vm_host,
  file_vm_crash,
  file_container_guest,
  file_container_host,
  file_tremplin,
  file_vsh,
  file_concierge_service,
  file_cicerone_service,
  file_seneschal_service,
  file_chunneld_service,
];

/** Additions of 2026 whose types stand in files that we do not carry. */
const LEFT_OUT = [
  'field vm_tools.cicerone.NotifyVmStartedRequest vm_type = 6 : vm_tools.apps.VmType',
  'field vm_tools.concierge.StartArcVmRequest mini_instance_request = 34 : arc.StartArcMiniInstanceRequest',
];

/** A row, or what a descriptor says in its place. */
function line(kind: string, container: string, name = '', number = '', type = '', modifiers = ''): string {
  const parts = [kind, container, name, number && `= ${number}`, type && `: ${type}`, modifiers];
  return parts.filter(Boolean).join(' ');
}

function lineOf(row: WireRow, all: ReadonlySet<string>): string {
  const container = `${row.package}.${row.container}`;
  const resolve = (type: string) => resolveType(type, container, all);
  const type = row.type.replaceAll(/[\w.]+/g, resolve).replaceAll(' ', '');
  // A message or enum is its own container.
  const own = row.kind === 'message' || row.kind === 'enum' || row.kind === 'service';
  return line(row.kind, container, own ? '' : row.name, row.number, type, row.modifiers);
}

/** As protobuf does it: the name is looked for in the innermost scope first. */
function resolveType(type: string, container: string, all: ReadonlySet<string>): string {
  const scope = container.split('.');
  for (let depth = scope.length; depth > 0; depth--) {
    const full = [...scope.slice(0, depth), type].join('.');
    if (all.has(full)) return full;
  }
  return type;
}

function* linesOf(file: DescFile): Generator<string> {
  for (const message of file.messages) yield* messageLines(message);
  for (const each of file.enums) yield* enumLines(each);
  for (const service of file.services) yield* serviceLines(service);
}

function* messageLines(message: DescMessage): Generator<string> {
  yield line('message', message.typeName);
  for (const field of message.fields) {
    const { name, number, parent } = field;
    yield line('field', parent.typeName, name, String(number), typeOf(field), modifiersOf(field));
  }
  for (const { start, end } of message.proto.reservedRange) {
    for (let number = start; number < end; number++) yield line('reserved', message.typeName, String(number));
  }
  for (const nested of message.nestedMessages) yield* messageLines(nested);
  for (const nested of message.nestedEnums) yield* enumLines(nested);
}

function* enumLines(each: DescEnum): Generator<string> {
  yield line('enum', each.typeName);
  for (const { name, number, deprecated } of each.values) {
    yield line('value', each.typeName, name, String(number), '', deprecated ? 'deprecated=true' : '');
  }
}

function* serviceLines(service: DescService): Generator<string> {
  yield line('service', service.typeName);
  for (const { name, input, output, methodKind } of service.methods) {
    yield line('rpc', service.typeName, name, '', `${input.typeName}->${output.typeName}`, methodKind);
  }
}

function typeOf(field: DescField): string {
  const { scalar, message, enum: enumeration } = field;
  const own = message?.typeName ?? enumeration?.typeName ?? ScalarType[scalar as ScalarType].toLowerCase();
  return field.fieldKind === 'map' ? `map<${ScalarType[field.mapKey].toLowerCase()},${own}>` : own;
}

function modifiersOf(field: DescField): string {
  const { oneof, proto, deprecated } = field;
  return [
    field.fieldKind === 'list' && 'repeated',
    proto.proto3Optional && 'optional',
    oneof && `oneof ${oneof.name}`,
    deprecated && 'deprecated=true',
  ]
    .filter(Boolean)
    .join(' ');
}

const tables = files.map((file) => {
  const rows = wireTables.get(file.name) as readonly WireRow[];
  const types = files.flatMap((each) => [...linesOf(each)].flatMap(typeDeclared));
  const all = new Set(types);
  return { file, rows, toLine: (row: WireRow) => lineOf(row, all), lines: [...linesOf(file)] };
});

function typeDeclared(text: string): string[] {
  const [kind, name = ''] = text.split(' ');
  return kind === 'message' || kind === 'enum' ? [name] : [];
}

/** Rows such as `reserved 10 , 18` are taken apart. */
function split(row: WireRow): WireRow[] {
  if (row.kind !== 'reserved') return [row];
  return row.name.split(',').map((name) => ({ ...row, name: name.trim() }));
}

/** What two rows cannot both have in one container. */
function placesOf(row: WireRow): string[] {
  const group = row.kind === 'field' || row.kind === 'value' ? row.kind : 'type';
  const name = `${group} ${row.container} ${row.name}`;
  return row.number === '' ? [name] : [name, `${group} ${row.container} = ${row.number}`];
}

test('there is a table for every file, and a file for every table', () => {
  expect(files.map(({ name }) => name).sort()).toEqual([...wireTables.keys()].sort());
});

describe.each(tables.map((table) => [table.file.name, table] as const))('%s.proto', (_, table) => {
  const { file, rows, lines, toLine } = table;
  const deciding = rows.filter((row) => row.in_2021).flatMap(split);
  const taken = new Set(deciding.flatMap(placesOf));
  const additions = rows
    .filter((row) => row.in_2026 && !row.in_2021)
    .flatMap(split)
    .filter((row) => !placesOf(row).some((place) => taken.has(place)));

  test('has every row of 2021, as it is there', () => {
    expect(deciding.map(toLine).filter((row) => !lines.includes(row))).toEqual([]);
  });

  test('has the additions of 2026 that do not contradict it', () => {
    expect(additions.map(toLine).filter((row) => !lines.includes(row) && !LEFT_OUT.includes(row))).toEqual(
      [],
    );
  });

  test('has nothing else but the extensions', () => {
    const known = new Set([...deciding, ...additions].map(toLine));
    const own = lines.filter((each) => !known.has(each));
    expect(own.toSorted()).toEqual(extensionsOf(file));
  });

  test('is of the package and syntax of the table', () => {
    const [{ package: name, syntax } = rows[0] as WireRow] = deciding;
    expect([file.proto.package, file.proto.syntax]).toEqual([name, syntax]);
  });
});

test('what was left out of 2026 is really left out, and is in the tables', () => {
  const have = tables.flatMap(({ lines }) => lines);
  const rows = tables.flatMap(({ rows: all, toLine }) => all.map(toLine));
  expect(LEFT_OUT.filter((row) => have.includes(row) || !rows.includes(row))).toEqual([]);
});

/** The rows of EXTENSIONS.md that are in this file. */
function extensionsOf(file: DescFile): string[] {
  const messages = new Set([...linesOf(file)].flatMap(typeDeclared));
  return extensions()
    .filter(({ container }) => messages.has(container))
    .map(({ container, name, number, type }) => line('field', container, name, number, type))
    .toSorted();
}

function extensions(): { container: string; name: string; number: string; type: string }[] {
  const text = readFileSync(new URL('../EXTENSIONS.md', import.meta.url), 'utf8');
  return [...text.matchAll(/^\| `(.+)\.(\w+)` \| (\d+) \| (.+?) \|/gm)].map(
    ([, container = '', name = '', number = '', type = '']) => ({ container, name, number, type }),
  );
}

test('every extension is listed once, is numbered 1000 or higher, and is in some file', () => {
  const listed = extensions();
  const have = tables.flatMap(({ lines }) => lines);
  expect(listed.length).toBeGreaterThan(0);
  expect(listed.filter(({ number }) => Number(number) < 1000)).toEqual([]);
  const rows = listed.map((each) => line('field', each.container, each.name, each.number, each.type));
  expect(new Set(rows).size).toBe(rows.length);
  expect(rows.filter((row) => !have.includes(row))).toEqual([]);
});
