import { parse } from 'smol-toml';

export type Table = Record<string, unknown>;

/** Parses TOML; undefined when it is not valid. */
export function parseToml(text: string): Table | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/** Parses JSON that must be an object; undefined when it is not. */
export function parseJsonTable(text: string | undefined): Table | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isTable(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The table at a path of keys, undefined when something else or nothing is there. */
export function tableAt(table: Table | undefined, ...keys: string[]): Table | undefined {
  let at: unknown = table;
  for (const key of keys) at = isTable(at) ? at[key] : undefined;
  return isTable(at) ? at : undefined;
}

export function stringAt(table: Table | undefined, key: string): string | undefined {
  const value = table?.[key];
  return typeof value === 'string' ? value : undefined;
}

/** The strings of the list under a key; what is no string is left out. */
export function stringsAt(table: Table | undefined, key: string): string[] {
  const value = table?.[key];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
