/** What a kernel module's .modinfo section says of it; names have `_` where files may have `-`. */
export interface ModuleInfo {
  /** Relative to the folder of the modules. */
  readonly path: string;
  readonly depends: readonly string[];
  /** Of its soft dependencies those that come first, as names or aliases (`crypto-crc32c`). */
  readonly softDepends: readonly string[];
  readonly aliases: readonly string[];
}

/** A kernel's modules, by name. */
export interface ModuleIndex {
  readonly modules: Readonly<Record<string, ModuleInfo>>;
  /** Names of what is in the kernel itself. */
  readonly builtin: readonly string[];
}

/** Debian ships no modules.dep: it is made at installation. The same facts are in the modules themselves. */
export function readModuleInfo(path: string, file: Buffer): ModuleInfo {
  const fields = modinfoFields(file, path);
  const values = (name: string) => fields.filter(([key]) => key === name).map(([, value]) => value);
  return {
    path,
    depends: values('depends')
      .flatMap((list) => list.split(','))
      .filter((name) => name !== '')
      .map(moduleName),
    softDepends: values('softdep').flatMap(
      (text) => /pre:((?:\s+(?!post:)\S+)*)/.exec(text)?.[1]?.trim().split(/\s+/) ?? [],
    ),
    // Only these are looked up by alias; hardware ids would make the index a hundred times as long.
    aliases: values('alias').filter((alias) => alias.startsWith('crypto-')),
  };
}

/** Module names as the kernel compares them. */
export function moduleName(file: string): string {
  return file.replace(/^.*\//, '').replace(/\.ko$/, '').replaceAll('-', '_');
}

/** Modules with parameters, `name parameter=value ...`, that are in the kernel itself: as words of its command line. */
export function builtinParameters(lines: readonly string[], { builtin }: ModuleIndex): string[] {
  return lines.flatMap((line) => {
    const [name = '', ...parameters] = line.trim().split(/\s+/);
    if (!builtin.includes(moduleName(name))) return [];
    return parameters.map((parameter) => `${moduleName(name)}.${parameter}`);
  });
}

/** The modules that the wanted ones need, each before those that need it. Throws when the kernel has no such module. */
export function resolveModules(wanted: readonly string[], index: ModuleIndex): ModuleInfo[] {
  const order = new Map<string, ModuleInfo>();
  const builtin = new Set(index.builtin);
  const visit = (name: string, neededBy: string): void => {
    if (order.has(name) || builtin.has(name)) return;
    const info = index.modules[name];
    if (!info) throw new Error(`the guest's kernel has no module ${name}, which ${neededBy} needs`);
    for (const soft of info.softDepends) {
      const provider = providerOf(soft, index);
      if (provider !== undefined && provider !== name) visit(provider, name);
    }
    for (const each of info.depends) visit(each, name);
    order.set(name, info);
  };
  for (const name of wanted) visit(moduleName(name), 'the caller');
  return [...order.values()];
}

/** Of several modules with one alias, the one written in C: the others want CPU features and fail without. */
function providerOf(soft: string, { modules, builtin }: ModuleIndex): string | undefined {
  const name = moduleName(soft);
  if (modules[name] || builtin.includes(name)) return name;
  const providers = Object.keys(modules).filter((each) => modules[each]?.aliases.includes(soft));
  return providers.find((each) => each.endsWith('_generic')) ?? providers[0];
}

/** The `key=value` strings of the section .modinfo. Source: elf(5), ELF64 little-endian. */
function modinfoFields(file: Buffer, path: string): [string, string][] {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error(`${path} is not a 64-bit little-endian ELF file`);
  const sections = Number(file.readBigUInt64LE(0x28));
  const size = file.readUInt16LE(0x3a);
  const count = file.readUInt16LE(0x3c);
  const section = (index: number) => {
    const at = sections + index * size;
    const offset = Number(file.readBigUInt64LE(at + 0x18));
    return {
      name: file.readUInt32LE(at),
      bytes: file.subarray(offset, offset + Number(file.readBigUInt64LE(at + 0x20))),
    };
  };
  const names = section(file.readUInt16LE(0x3e)).bytes;
  for (let index = 0; index < count; index++) {
    const { name, bytes } = section(index);
    if (names.toString('latin1', name, names.indexOf(0, name)) !== '.modinfo') continue;
    return bytes
      .toString('utf8')
      .split('\0')
      .filter((field) => field.includes('='))
      .map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]);
  }
  return [];
}
