type Json = Record<string, unknown>;

const typeOf = (value: unknown) =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'array'
      : Number.isInteger(value)
        ? 'integer'
        : typeof value;

/** Where a value is not what a JSON schema says: as much of JSON Schema as our own one uses, and an error for more. */
export function schemaErrors(value: unknown, schema: unknown, root: unknown = schema, at = ''): string[] {
  const errors: string[] = [];
  for (const [keyword, rule] of Object.entries(schema as Json)) {
    const check = checks[keyword];
    if (!check) throw new Error(`a keyword that is not known here: ${keyword}`);
    errors.push(...check({ value, rule, schema: schema as Json, root: root as Json, at }));
  }
  return errors;
}

interface Checked {
  readonly value: unknown;
  readonly rule: unknown;
  readonly schema: Json;
  readonly root: Json;
  readonly at: string;
}

const isObject = (value: unknown): value is Json => typeOf(value) === 'object';
const unless = (good: boolean, at: string, what: string) => (good ? [] : [`${at}: ${what}`]);
const nothing = () => [];

const checks: Record<string, (checked: Checked) => string[]> = {
  $schema: nothing,
  $defs: nothing,
  title: nothing,
  description: nothing,
  $ref: ({ value, rule, root, at }) =>
    schemaErrors(value, (root['$defs'] as Json)[(rule as string).replace('#/$defs/', '')], root, at),
  type: ({ value, rule, at }) => unless([rule].flat().includes(typeOf(value)), at, `not ${rule}`),
  enum: ({ value, rule, at }) => unless((rule as unknown[]).includes(value), at, `not one of ${rule}`),
  pattern: ({ value, rule, at }) =>
    unless(typeof value !== 'string' || new RegExp(rule as string).test(value), at, `not like ${rule}`),
  minimum: ({ value, rule, at }) => unless(Number(value) >= Number(rule), at, `less than ${rule}`),
  anyOf: ({ value, rule, root, at }) =>
    unless(
      (rule as unknown[]).some((one) => schemaErrors(value, one, root, at).length === 0),
      at,
      'none of these',
    ),
  required: ({ value, rule, at }) =>
    (rule as string[]).flatMap((key) => unless(!isObject(value) || key in value, at, `no ${key}`)),
  properties: ({ value, rule, root, at }) =>
    Object.entries(rule as Json).flatMap(([key, one]) =>
      isObject(value) && key in value ? schemaErrors(value[key], one, root, `${at}/${key}`) : [],
    ),
  additionalProperties: ({ value, rule, schema, root, at }) =>
    Object.entries(isObject(value) ? value : {}).flatMap(([key, one]) => {
      if (key in ((schema['properties'] as Json | undefined) ?? {})) return [];
      return rule === false
        ? [`${at}: ${key} should not be there`]
        : schemaErrors(one, rule, root, `${at}/${key}`);
    }),
  items: ({ value, rule, root, at }) =>
    Array.isArray(value)
      ? value.flatMap((one, index) => schemaErrors(one, rule, root, `${at}/${index}`))
      : [],
};
