import type { ImagePart, JsonValue, Message, ToolResultPart } from '../../../contracts/llm.ts';

/** The image as an address that holds it. */
export function dataUrl(image: ImagePart): string {
  return `data:${image.mediaType};base64,${image.data}`;
}

/** What a model wrote as arguments: parsed, or the text itself where it is no JSON. No text at all is an object without members. */
export function parseArguments(text: string): JsonValue {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

/**
 * Arguments for servers that parse them again while they fill their prompt template: many answer 400 or 500 to text that is no JSON, so that is
 * wrapped.
 */
export function argumentsAsJson(value: JsonValue): string {
  return JSON.stringify(typeof value === 'string' ? { unreadable_arguments: value } : value);
}

/** The result's text. The wire has no mark for failures, so the text gets one. */
export function resultText(result: ToolResultPart): string {
  const text = result.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  return result.isError && !/^\s*error/i.test(text) ? `Error: ${text}` : text;
}

export function imagesOf(result: ToolResultPart): ImagePart[] {
  return result.content.filter((part) => part.type === 'image');
}

/**
 * Hands out ids of tool calls that are unique within the conversation: the server's own where it gives a new one, otherwise one made up here.
 * Some servers give none, others count from 0 in every answer.
 */
export function callIds(messages: readonly Message[]): (given?: string | null) => string {
  const taken = new Set<string>();
  for (const message of messages) {
    if (message.role === 'assistant') {
      for (const part of message.content) if (part.type === 'tool-call') taken.add(part.id);
    }
  }
  return (given) => {
    const id = given && !taken.has(given) ? given : `call_${crypto.randomUUID().replaceAll('-', '')}`;
    taken.add(id);
    return id;
  };
}

/** Index of the first message after the last one of the user: where the current turn begins. */
export function turnStart(messages: readonly Message[]): number {
  return messages.findLastIndex((message) => message.role === 'user') + 1;
}

const unstrict = ['patternProperties', 'allOf', 'oneOf', 'not', 'dependentRequired', 'dependentSchemas', 'if'];

/** Whether OpenAI takes the schema as a strict one: every object closed, all of its members required. */
export function isStrictSchema(schema: JsonValue | undefined): boolean {
  if (Array.isArray(schema)) return schema.every(isStrictSchema);
  if (typeof schema !== 'object' || schema === null) return true;
  if (unstrict.some((keyword) => keyword in schema)) return false;
  const properties = schema['properties'];
  if (schema['type'] === 'object' || properties !== undefined) {
    const names = Object.keys((properties ?? {}) as object);
    const required = Array.isArray(schema['required']) ? schema['required'] : [];
    if (schema['additionalProperties'] !== false || names.some((name) => !required.includes(name))) return false;
  }
  const children = [properties, schema['$defs'], schema['definitions']].flatMap((group) => Object.values(group ?? {}));
  return [...children, schema['items'], schema['anyOf']].every((child) => isStrictSchema(child as JsonValue));
}
