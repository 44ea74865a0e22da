import {
  type DescEnum,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectRouter } from '@connectrpc/connect';
import { ServerReflection, type ServerReflectionRequest } from './gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from './gen/grpc/reflection/v1alpha/reflection_pb.ts';

/** What is asked for: the same in both versions. */
type Question = Pick<ServerReflectionRequest, 'host'> & {
  readonly messageRequest: { readonly case: string | undefined; readonly value?: unknown };
};

/** Adds grpc.reflection.v1 and v1alpha: what services the server has, and the .proto files behind them. */
export function serveReflection(router: ConnectRouter, services: Iterable<DescService>): void {
  const index = new ReflectionIndex([...services, ServerReflection, ServerReflectionAlpha]);
  async function* serverReflectionInfo<T extends Question>(questions: AsyncIterable<T>) {
    for await (const question of questions) {
      const { host, messageRequest } = question;
      yield { validHost: host, originalRequest: question, messageResponse: index.answer(messageRequest) };
    }
  }
  router.service(ServerReflection, { serverReflectionInfo });
  router.service(ServerReflectionAlpha, { serverReflectionInfo });
}

class ReflectionIndex {
  readonly #services: readonly DescService[];
  readonly #files = new Map<string, DescFile>();
  /** By the full name of everything that has one. */
  readonly #symbols = new Map<string, DescFile>();
  readonly #messages = new Set<string>();

  constructor(services: readonly DescService[]) {
    this.#services = services;
    for (const { file } of services) this.#add(file);
  }

  answer({ case: kind, value }: Question['messageRequest']) {
    switch (kind) {
      case 'listServices': {
        const names = this.#services.map(({ typeName }) => typeName).sort();
        return answer('listServicesResponse', { service: names.map((name) => ({ name })) });
      }
      case 'fileByFilename':
        return this.#file(this.#files.get(String(value)), `file ${value}`);
      case 'fileContainingSymbol':
        return this.#file(this.#symbols.get(String(value)), `symbol ${value}`);
      case 'allExtensionNumbersOfType':
        // proto3 has no extensions.
        return this.#messages.has(String(value))
          ? answer('allExtensionNumbersResponse', { baseTypeName: String(value), extensionNumber: [] })
          : unknown(`message ${value}`);
      case 'fileContainingExtension':
        return unknown('such extension');
      default:
        return answer('errorResponse', {
          errorCode: Code.Unimplemented,
          errorMessage: 'nothing that is known was asked for',
        });
    }
  }

  /** With what it imports: whoever asks needs that too. */
  #file(file: DescFile | undefined, what: string) {
    if (!file) return unknown(what);
    const files = new Set([file]);
    for (const each of files) for (const dependency of each.dependencies) files.add(dependency);
    const bytes = [...files].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
    return answer('fileDescriptorResponse', { fileDescriptorProto: bytes });
  }

  #add(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.#add(dependency);
    for (const message of file.messages) this.#addMessage(message);
    for (const each of file.enums) this.#addEnum(each);
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const { name } of service.methods) this.#symbols.set(`${service.typeName}.${name}`, file);
    }
  }

  #addMessage(message: DescMessage): void {
    this.#messages.add(message.typeName);
    this.#symbols.set(message.typeName, message.file);
    for (const { name } of message.fields) this.#symbols.set(`${message.typeName}.${name}`, message.file);
    for (const nested of message.nestedMessages) this.#addMessage(nested);
    for (const nested of message.nestedEnums) this.#addEnum(nested);
  }

  /** The values of an enum are named beside it, not in it. */
  #addEnum({ typeName, file, values }: DescEnum): void {
    const scope = typeName.slice(0, typeName.lastIndexOf('.') + 1);
    this.#symbols.set(typeName, file);
    for (const { name } of values) this.#symbols.set(scope + name, file);
  }
}

function answer<Case extends string, Value>(
  kind: Case,
  value: Value,
): { readonly case: Case; readonly value: Value } {
  return { case: kind, value };
}

function unknown(what: string) {
  return answer('errorResponse', { errorCode: Code.NotFound, errorMessage: `there is no ${what}` });
}
