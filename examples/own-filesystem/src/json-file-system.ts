import {
  type AttributeChanges,
  type Attributes,
  type Created,
  type DirectoryEntries,
  Errno,
  type FileNode,
  type FileSystem,
  type Name,
  OpenFlags,
  Qid,
  QidType,
  UNLINK_DIRECTORY,
} from '@vm-tools/p9-protocol';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Container = Json[] | { [key: string]: Json };

const { EBUSY, EEXIST, EISDIR, EINVAL, ENOENT, ENOTDIR, ENOTEMPTY, EFBIG } = Errno;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
/** Longest value that is taken, bytes. */
const MAX_VALUE = 1 << 20;
const encoder = new TextEncoder();

/** A place in the document: a key of an object or an index of an array. It is there while its parent has the key. */
export class JsonNode implements FileNode {
  readonly qid: Qid;
  readonly parent: JsonNode | undefined;
  readonly key: string;
  /** A string was here when this was first looked at; what is written stays one then, also after the file was emptied. */
  readonly isText: boolean;
  /** Places below that were looked at: the same place is the same node, and so has the same qid. */
  readonly known = new Map<string, JsonNode>();

  constructor(number: number, value: Json, key: string, parent?: JsonNode) {
    this.qid = new Qid(isContainer(value) ? QidType.directory : QidType.file, 0, number);
    this.isText = typeof value === 'string';
    this.key = key;
    this.parent = parent;
  }
}

/** An open file has the bytes that it had when it was opened, and what was written since. */
export interface JsonFile {
  node: JsonNode;
  bytes: Uint8Array;
}

/**
 * A JSON document as a filesystem: objects and arrays are directories, what they hold besides is files of one line. Writing a file changes
 * the value: a string stays a string, anything else becomes what the text says, if that is JSON, and else a string.
 */
export class JsonFileSystem implements FileSystem<JsonNode, JsonFile> {
  readonly #document: Container;
  readonly #changed: () => void;
  readonly #root = new JsonNode(0, {}, '');
  #nextNumber = 1;
  #modified = Date.now();

  /** @param changed called after every change of the document, which is changed in place */
  constructor(document: Container, changed: () => void) {
    this.#document = document;
    this.#changed = changed;
  }

  attach(): JsonNode {
    return this.#root;
  }

  walk(directory: JsonNode, name: Name): JsonNode | number {
    const container = this.#containerAt(directory);
    if (typeof container === 'number') return container;
    return this.#childOf(directory, container, String(name)) ?? -ENOENT;
  }

  getattr(node: JsonNode, _mask: number, attributes: Attributes): number {
    const value = this.#valueAt(node);
    if (value === undefined) return -ENOENT;
    const isDirectory = isContainer(value);
    attributes.mode = isDirectory ? S_IFDIR | 0o755 : S_IFREG | 0o644;
    attributes.nlink = isDirectory ? 2 : 1;
    attributes.size = isDirectory ? Object.keys(value).length : bytesOf(value).length;
    attributes.blksize = 4096;
    const seconds = Math.floor(this.#modified / 1000);
    attributes.atimeSec = seconds;
    attributes.mtimeSec = seconds;
    attributes.ctimeSec = seconds;
    return 0;
  }

  /** Shells shorten a file before they write it. Owners, permissions and times are not kept. */
  setattr(node: JsonNode, { size }: AttributeChanges): number {
    const value = this.#valueAt(node);
    if (value === undefined) return -ENOENT;
    if (size === undefined) return 0;
    if (isContainer(value)) return -EISDIR;
    if (size > MAX_VALUE) return -EFBIG;
    const bytes = new Uint8Array(size);
    bytes.set(bytesOf(value).subarray(0, size));
    return this.#set(node, bytes);
  }

  open(node: JsonNode, flags: number): JsonFile | number {
    const value = this.#valueAt(node);
    if (value === undefined) return -ENOENT;
    const truncates = (flags & OpenFlags.truncate) !== 0;
    if (isContainer(value)) {
      const isRead = (flags & OpenFlags.accessMode) === OpenFlags.readOnly && !truncates;
      return isRead ? { node, bytes: new Uint8Array() } : -EISDIR;
    }
    if ((flags & OpenFlags.directory) !== 0) return -ENOTDIR;
    if (truncates) this.#set(node, new Uint8Array());
    return { node, bytes: truncates ? new Uint8Array() : bytesOf(value) };
  }

  read({ node, bytes }: JsonFile, offset: number, buffer: Uint8Array, start: number, count: number): number {
    if (isContainer(this.#valueAt(node))) return -EISDIR;
    const part = bytes.subarray(offset, offset + count);
    buffer.set(part, start);
    return part.length;
  }

  write(file: JsonFile, offset: number, buffer: Uint8Array, start: number, count: number): number {
    const end = offset + count;
    if (end > MAX_VALUE) return -EFBIG;
    const bytes = new Uint8Array(Math.max(end, file.bytes.length));
    bytes.set(file.bytes);
    // What the server received is its own again when this returns.
    bytes.set(buffer.subarray(start, start + count), offset);
    file.bytes = bytes;
    const failed = this.#set(file.node, bytes);
    return failed < 0 ? failed : count;
  }

  /** A cookie counts the entries before it. */
  readdir({ node }: JsonFile, cookie: bigint, entries: DirectoryEntries): number {
    const container = this.#containerAt(node);
    if (typeof container === 'number') return container;
    const names = ['.', '..', ...Object.keys(container).filter(isName)];
    for (let index = Number(cookie); index < names.length; index++) {
      const name = names[index] as string;
      const { qid } =
        index === 0
          ? node
          : index === 1
            ? (node.parent ?? node)
            : (this.#childOf(node, container, name) as JsonNode);
      if (!entries.add(name, qid, index + 1, qid.type === QidType.directory ? 4 : 8)) break;
    }
    return 0;
  }

  create(directory: JsonNode, name: Name, flags: number): Created<JsonNode, JsonFile> | number {
    const existing = this.walk(directory, name);
    if (typeof existing !== 'number') {
      if ((flags & OpenFlags.exclusive) !== 0) return -EEXIST;
      const file = this.open(existing, flags);
      return typeof file === 'number' ? file : { node: existing, file };
    }
    const node = this.#add(directory, name, null);
    return typeof node === 'number' ? node : { node, file: { node, bytes: new Uint8Array() } };
  }

  mkdir(directory: JsonNode, name: Name): Qid | number {
    const node = this.#add(directory, name, {});
    return typeof node === 'number' ? node : node.qid;
  }

  unlinkat(directory: JsonNode, name: Name, flags: number): number {
    const container = this.#containerAt(directory);
    if (typeof container === 'number') return container;
    const key = String(name);
    const value = valueIn(container, key);
    if (value === undefined) return -ENOENT;
    if (isContainer(value) !== ((flags & UNLINK_DIRECTORY) !== 0))
      return isContainer(value) ? -EISDIR : -ENOTDIR;
    if (isContainer(value) && Object.keys(value).length > 0) return -ENOTEMPTY;
    if (!Array.isArray(container)) delete container[key];
    // The places behind another would become other files: only the last can go.
    else if (Number(key) === container.length - 1) container.pop();
    else return -EBUSY;
    directory.known.delete(key);
    this.#touch(directory);
    return 0;
  }

  #valueAt(node: JsonNode): Json | undefined {
    if (node.parent === undefined) return this.#document;
    const container = this.#valueAt(node.parent);
    if (!isContainer(container) || node.parent.known.get(node.key) !== node) return undefined;
    return valueIn(container, node.key);
  }

  #containerAt(node: JsonNode): Container | number {
    const value = this.#valueAt(node);
    return value === undefined ? -ENOENT : isContainer(value) ? value : -ENOTDIR;
  }

  #childOf(node: JsonNode, container: Container, key: string): JsonNode | undefined {
    const value = valueIn(container, key);
    if (value === undefined) return undefined;
    const known = node.known.get(key);
    if (known !== undefined) return known;
    const child = new JsonNode(this.#nextNumber++, value, key, node);
    node.known.set(key, child);
    return child;
  }

  /** An array grows at its end alone. */
  #add(directory: JsonNode, name: Name, value: Json): JsonNode | number {
    const container = this.#containerAt(directory);
    if (typeof container === 'number') return container;
    const key = String(name);
    if (valueIn(container, key) !== undefined) return -EEXIST;
    if (!Array.isArray(container)) container[key] = value;
    else if (key === String(container.length)) container.push(value);
    else return -EINVAL;
    this.#touch(directory);
    return this.#childOf(directory, container, key) as JsonNode;
  }

  #set(node: JsonNode, bytes: Uint8Array): number {
    const container = node.parent === undefined ? -EISDIR : this.#containerAt(node.parent);
    if (typeof container === 'number') return container;
    if (this.#valueAt(node) === undefined) return -ENOENT;
    const text = new TextDecoder().decode(bytes).replace(/\n$/, '');
    (container as { [key: string]: Json })[node.key] = node.isText ? text : scalarOf(text);
    this.#touch(node);
    return 0;
  }

  #touch(node: JsonNode): void {
    this.#modified = Date.now();
    node.qid.version = (node.qid.version + 1) >>> 0;
    this.#changed();
  }
}

function isContainer(value: Json | undefined): value is Container {
  return typeof value === 'object' && value !== null;
}

function valueIn(container: Container, key: string): Json | undefined {
  const isThere = Object.hasOwn(container, key) && key !== 'length' && isName(key);
  return isThere ? (container as { [key: string]: Json })[key] : undefined;
}

/** Some keys cannot name a file: those are not shown. */
function isName(key: string): boolean {
  return key !== '' && key !== '.' && key !== '..' && !/[/\0]/.test(key) && encoder.encode(key).length <= 255;
}

function bytesOf(value: Json): Uint8Array {
  return encoder.encode(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`);
}

function scalarOf(text: string): Json {
  try {
    const value = JSON.parse(text) as Json;
    return isContainer(value) ? text : value;
  } catch {
    return text;
  }
}
