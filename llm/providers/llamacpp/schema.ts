import type { JsonValue } from '../../../contracts/llm.ts';
import type { GrammarSchema } from './binding.ts';

type Schema = Record<string, JsonValue>;

const scalars = new Set(['string', 'number', 'integer', 'boolean', 'null']);

const anything: GrammarSchema = {
  oneOf: [
    { type: ['string', 'number', 'boolean', 'null'] },
    { type: 'array' },
    { type: 'object', additionalProperties: true },
  ],
};

/**
 * A JSON schema as llama.cpp's grammars know it. There every member of an object is required, so one that is not may be null instead, which
 * `withoutNulls` takes out again. What a grammar cannot say (patterns, bounds of numbers) is left to whoever checks the value.
 */
export function grammarSchema(schema: Schema): GrammarSchema {
  const defs = { ...members(schema['definitions']), ...members(schema['$defs']) };
  const converted = convert(schema);
  if (Object.keys(defs).length === 0) return converted;
  return {
    ...converted,
    $defs: Object.fromEntries(Object.entries(defs).map(([name, def]) => [name, convert(asSchema(def))])),
  };
}

function convert(schema: Schema): GrammarSchema {
  const description = typeof schema['description'] === 'string' ? { description: schema['description'] } : {};
  return { ...convertShape(schema), ...description };
}

function convertShape(schema: Schema): GrammarSchema {
  const reference = schema['$ref'];
  if (typeof reference === 'string') return { $ref: reference.replace('#/definitions/', '#/$defs/') };
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(alternatives)) return { oneOf: alternatives.map((one) => convert(asSchema(one))) };
  if (Array.isArray(schema['allOf'])) return convert(merged(schema));
  if ('const' in schema) return isScalar(schema['const']) ? { const: schema['const'] } : anything;
  if (Array.isArray(schema['enum'])) return schema['enum'].every(isScalar) ? { enum: schema['enum'] } : anything;
  const type = schema['type'];
  if (Array.isArray(type)) {
    const [only, ...others] = type;
    if (others.length === 0 && only !== undefined) return convert({ ...schema, type: only });
    return { oneOf: type.map((one) => convert({ ...schema, type: one })) };
  }
  if (type === 'object' || (type === undefined && 'properties' in schema)) return convertObject(schema);
  if (type === 'array') return convertArray(schema);
  if (type === 'string') return convertString(schema);
  return typeof type === 'string' && scalars.has(type) ? { type } : anything;
}

function convertObject(schema: Schema): GrammarSchema {
  const properties = Object.entries(members(schema['properties'])).map(([name, property]) => {
    const value = convert(asSchema(property));
    if (isRequired(schema, name) || allowsNull(asSchema(property))) return [name, value];
    return [
      name,
      { oneOf: [value, { type: 'null' }], ...('description' in value ? { description: value['description'] } : {}) },
    ];
  });
  const additional = schema['additionalProperties'];
  // An object without any named member is a free one.
  const isFree = properties.length === 0 && additional !== false;
  return {
    type: 'object',
    properties: Object.fromEntries(properties) as GrammarSchema,
    ...(isObject(additional)
      ? { additionalProperties: convert(additional) }
      : isFree
        ? { additionalProperties: true }
        : {}),
  };
}

function convertArray(schema: Schema): GrammarSchema {
  const { items, prefixItems, minItems, maxItems } = schema;
  return {
    type: 'array',
    ...(isObject(items) ? { items: convert(items) } : {}),
    ...(Array.isArray(prefixItems) ? { prefixItems: prefixItems.map((item) => convert(asSchema(item))) } : {}),
    ...(typeof minItems === 'number' ? { minItems } : {}),
    ...(typeof maxItems === 'number' ? { maxItems } : {}),
  };
}

function convertString({ format, minLength, maxLength }: Schema): GrammarSchema {
  if (format === 'date' || format === 'time' || format === 'date-time') return { type: 'string', format };
  return {
    type: 'string',
    ...(typeof minLength === 'number' ? { minLength } : {}),
    ...(typeof maxLength === 'number' ? { maxLength } : {}),
  };
}

/** The parts of an `allOf` as one; where they contradict each other the last holds. */
function merged(schema: Schema): Schema {
  const { allOf, ...rest } = schema;
  const parts = [rest, ...(allOf as JsonValue[]).map(asSchema)];
  const properties = Object.assign({}, ...parts.map((part) => members(part['properties']))) as Schema;
  const required = parts.flatMap((part) => (Array.isArray(part['required']) ? part['required'] : []));
  const whole = Object.assign({}, ...parts) as Schema;
  return { ...whole, ...(Object.keys(properties).length > 0 ? { properties, required } : {}) };
}

/** The value without the nulls that stand for members left out. */
export function withoutNulls(value: JsonValue, schema: Schema, root: Schema = schema): JsonValue {
  const target = referred(schema, root);
  if (target) return withoutNulls(value, target, root);
  if (Array.isArray(value)) {
    const items = asSchema(schema['items']);
    return value.map((item) => withoutNulls(item, items, root));
  }
  if (!isObject(value)) return value;
  const shape = shapeFor(value, schema, root);
  const properties = members(shape['properties']);
  const kept = Object.entries(value).flatMap(([name, member]) => {
    const property = asSchema(properties[name]);
    const stands = member !== null || !(name in properties) || isRequired(shape, name) || allowsNull(property);
    return stands ? [[name, withoutNulls(member, property, root)] as const] : [];
  });
  return Object.fromEntries(kept);
}

/** Of alternatives, the one whose members the value has. */
function shapeFor(value: Schema, schema: Schema, root: Schema): Schema {
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(schema['allOf'])) return merged(schema);
  if (!Array.isArray(alternatives)) return schema;
  const shapes = alternatives.map((one) => {
    return referred(asSchema(one), root) ?? asSchema(one);
  });
  return shapes.find((shape) => Object.keys(value).every((name) => name in members(shape['properties']))) ?? {};
}

/** What a schema that only refers to another refers to. */
function referred(schema: Schema, root: Schema): Schema | undefined {
  const reference = schema['$ref'];
  if (typeof reference !== 'string') return undefined;
  const name = /^#\/(?:\$defs|definitions)\/(.+)$/.exec(reference)?.[1] ?? '';
  return asSchema(members(root['$defs'])[name] ?? members(root['definitions'])[name]);
}

function isRequired(schema: Schema, name: string): boolean {
  return Array.isArray(schema['required']) && schema['required'].includes(name);
}

function allowsNull(schema: Schema): boolean {
  const type = schema['type'];
  if (type === 'null' || (Array.isArray(type) && type.includes('null')) || schema['const'] === null) return true;
  if (Array.isArray(schema['enum']) && schema['enum'].includes(null)) return true;
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  return Array.isArray(alternatives) && alternatives.some((one) => allowsNull(asSchema(one)));
}

function members(value: JsonValue | undefined): Schema {
  return isObject(value) ? value : {};
}

/** `true` and what is no schema say nothing. */
function asSchema(value: JsonValue | undefined): Schema {
  return isObject(value) ? value : {};
}

function isObject(value: JsonValue | undefined): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScalar(value: JsonValue | undefined): value is string | number | boolean | null {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}
