import { z } from 'zod';
import { configSchema } from './schema.ts';

/** One leaf of the schema: where it stands, the variable that sets it, and what is allowed there. */
export interface Setting {
  path: string[];
  /** The path with dots: `api.port`. */
  name: string;
  variable: string;
  /** An `object` is given as JSON. */
  kind: 'string' | 'number' | 'boolean' | 'object';
  allowed: string;
  default?: unknown;
}

/** `HELIX_` and the path in capitals, words apart: `temporal.uiUrl` is HELIX_TEMPORAL_UI_URL. */
function variableOf(path: string[]): string {
  return `HELIX_${path.map((part) => part.replace(/[A-Z]/g, '_$&').toUpperCase()).join('_')}`;
}

interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  description?: string;
  default?: unknown;
}

function collect(schema: JsonSchema, path: string[]): Setting[] {
  if (schema.properties) {
    return Object.entries(schema.properties).flatMap(([key, child]) => collect(child, [...path, key]));
  }
  const kind = schema.type === 'integer' || schema.type === 'number' ? 'number' : schema.type;
  if (kind !== 'string' && kind !== 'number' && kind !== 'boolean' && kind !== 'object') {
    throw new TypeError(`the setting ${path.join('.')} cannot be given as an environment variable`);
  }
  const setting = { path, name: path.join('.'), variable: variableOf(path), kind, allowed: schema.description ?? kind };
  return [schema.default === undefined ? setting : { ...setting, default: schema.default }] as Setting[];
}

export const settings: readonly Setting[] = collect(z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema, []);

/** Variables that begin with HELIX_ and are read elsewhere than in the schema. */
export const otherVariables: readonly string[] = ['HELIX_CONFIG', 'HELIX_TEMPORAL_CLI'];
