import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { HelixError } from '../contracts/error.ts';
import { redactText, redactValue } from '../observability/redact.ts';
import { configSchema, defaultHome } from './schema.ts';
import type { Config } from './schema.ts';
import { otherVariables, settings } from './settings.ts';
import type { Setting } from './settings.ts';
import { nearestNames } from '../contracts/nearest-names.ts';
import { readTemporalProfile } from './temporal-profile.ts';

interface Given {
  value: unknown;
  /** Where the value came from, as a user would say it. */
  source: string;
}

/** What one source gives, by setting name. A later layer covers an earlier one. */
type Layer = Map<string, Given>;

/**
 * The configuration: defaults, then temporal.toml, the JSON file (`HELIX_CONFIG` or `$HELIX_HOME/config.json`), DATABASE_URL and TEMPORAL_*,
 * and HELIX_* last. A profile of temporal.toml that a variable names stands above the file.
 * Throws `usage.invalid` naming the setting, its value, where it came from and what is allowed.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const overrides = helixLayer(env);
  const home = resolve(env['HELIX_HOME'] || defaultHome(env));
  const file = fileLayer(env, home);
  const namedByVariable = (overrides.get('temporal.profile')?.value as string | undefined) ?? env['TEMPORAL_PROFILE'];
  const profileName = namedByVariable || file.get('temporal.profile')?.value;
  const profile = profileLayer(env, typeof profileName === 'string' ? profileName : undefined);
  const below = namedByVariable ? [file, profile] : [profile, file];

  const merged: Layer = new Map([['home', { value: home, source: 'the default' }]]);
  for (const layer of [...below, wellKnownLayer(env), overrides]) {
    for (const [name, given] of layer) merged.set(name, given);
  }
  return parse(merged);
}

function parse(merged: Layer): Config {
  const input: Record<string, unknown> = {};
  for (const [name, { value }] of merged) {
    const path = name.split('.');
    const last = path.pop()!;
    let target = input;
    for (const part of path) target = (target[part] ??= {}) as Record<string, unknown>;
    target[last] = value;
  }
  const parsed = configSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const messages = new Set(parsed.error.issues.map((issue) => describeIssue(issue, merged)));
  throw new HelixError('usage.invalid', [...messages].join('\n'), {
    details: { settings: parsed.error.issues.map((issue) => issue.path.join('.')) },
  });
}

function describeIssue(issue: z.core.$ZodIssue, merged: Layer): string {
  const name = issue.path.join('.');
  const given = merged.get(name);
  const allowed = settings.find((setting) => setting.name === name)?.allowed ?? issue.message;
  return `${name} is ${show(name, given?.value)} (from ${given?.source ?? 'the default'}); allowed is ${allowed}`;
}

function show(name: string, value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(redactText(value));
  return JSON.stringify(redactValue({ [name]: value })[name]) ?? String(value);
}

function fileLayer(env: NodeJS.ProcessEnv, home: string): Layer {
  const named = env['HELIX_CONFIG'];
  const path = named ? resolve(named) : join(home, 'config.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !named) return new Map();
    throw new HelixError(
      'usage.invalid',
      `the configuration file ${path}${named ? ' (from HELIX_CONFIG)' : ''} cannot be read: ${(error as Error).message}`,
      { cause: error },
    );
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new HelixError('usage.invalid', `the configuration file ${path} is no JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const layer: Layer = new Map();
  flatten(content, [], path, layer);
  return layer;
}

function flatten(value: unknown, path: string[], source: string, layer: Layer): void {
  const name = path.join('.');
  const isSection = path.length === 0 || settings.some((setting) => setting.name.startsWith(`${name}.`));
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isSection && isObject) {
    for (const [key, child] of Object.entries(value)) flatten(child, [...path, key], source, layer);
    return;
  }
  if (isSection) {
    throw new HelixError(
      'usage.invalid',
      `${name || 'the configuration'} is ${JSON.stringify(value)} (from ${source}); allowed is an object`,
    );
  }
  if (!settings.some((setting) => setting.name === name))
    throw unknown(
      name,
      source,
      settings.map((s) => s.name),
    );
  layer.set(name, { value, source });
}

function profileLayer(env: NodeJS.ProcessEnv, name: string | undefined): Layer {
  const profile = readTemporalProfile(env, name);
  const layer: Layer = new Map();
  if (!profile) return layer;
  const source = `profile ${name ?? 'default'} of temporal.toml`;
  if (profile.address !== undefined) layer.set('temporal.address', { value: profile.address, source });
  if (profile.namespace !== undefined) layer.set('temporal.namespace', { value: profile.namespace, source });
  return layer;
}

const wellKnown = {
  DATABASE_URL: 'database.url',
  TEMPORAL_ADDRESS: 'temporal.address',
  TEMPORAL_NAMESPACE: 'temporal.namespace',
  TEMPORAL_PROFILE: 'temporal.profile',
  ANTHROPIC_API_KEY: 'llm.anthropic.apiKey',
  ANTHROPIC_BASE_URL: 'llm.anthropic.baseUrl',
  GEMINI_API_KEY: 'llm.gemini.apiKey',
  GOOGLE_API_KEY: 'llm.gemini.apiKey',
  GOOGLE_GEMINI_BASE_URL: 'llm.gemini.baseUrl',
  OPENAI_API_KEY: 'llm.openai.apiKey',
  OPENAI_BASE_URL: 'llm.openai.baseUrl',
  XAI_API_KEY: 'llm.xai.apiKey',
  DASHSCOPE_API_KEY: 'llm.qwen.apiKey',
  OPENROUTER_API_KEY: 'llm.openrouter.apiKey',
  HF_ENDPOINT: 'llm.llamacpp.hubUrl',
  HF_TOKEN: 'llm.llamacpp.hubToken',
};

/** Set on many machines for other programs: they count only where Google's own SDK would use them for Gemini. */
const vertex = {
  GOOGLE_CLOUD_PROJECT: 'llm.gemini.project',
  GOOGLE_CLOUD_LOCATION: 'llm.gemini.location',
  GOOGLE_APPLICATION_CREDENTIALS: 'llm.gemini.keyFile',
};

function wellKnownLayer(env: NodeJS.ProcessEnv): Layer {
  const layer: Layer = new Map();
  const ollama = env['OLLAMA_HOST'] && ollamaUrl(env['OLLAMA_HOST']);
  if (ollama) layer.set('llm.ollama.baseUrl', { value: ollama, source: 'OLLAMA_HOST' });
  const known = /^(true|1)$/i.test(env['GOOGLE_GENAI_USE_VERTEXAI'] ?? '') ? { ...wellKnown, ...vertex } : wellKnown;
  for (const [variable, name] of Object.entries(known)) {
    if (env[variable]) layer.set(name, { value: env[variable], source: variable });
  }
  return layer;
}

/** The variable also tells Ollama's server where to listen: a bare host or port, or every address there is. */
function ollamaUrl(host: string): string | undefined {
  const address = /^https?:\/\//.test(host) ? host : `http://${host.startsWith(':') ? `127.0.0.1${host}` : host}`;
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.port === '' && url.protocol === 'http:') url.port = '11434';
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1';
  return url.href;
}

function helixLayer(env: NodeJS.ProcessEnv): Layer {
  const layer: Layer = new Map();
  for (const setting of settings) {
    const text = env[setting.variable];
    if (text) layer.set(setting.name, { value: fromText(setting, text), source: setting.variable });
  }
  refuseUnknownVariables(env);
  return layer;
}

/** A text that is no number, boolean or JSON stays as it is, so that the schema refuses it with the text in the message. */
function fromText(setting: Setting, text: string): unknown {
  if (setting.kind === 'number' && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (setting.kind === 'object') return jsonOr(text);
  if (setting.kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** Settings have long names with much in common: only those of a slip apart are taken for each other. */
const misspelling = { edits: 2 };

/**
 * A HELIX_ variable that looks like a misspelt setting is refused. Others are let through: a step that runs Helix itself
 * may carry variables of its own.
 */
function refuseUnknownVariables(env: NodeJS.ProcessEnv): void {
  const known = [...settings.map((setting) => setting.variable), ...otherVariables];
  for (const variable of Object.keys(env)) {
    if (
      !variable.startsWith('HELIX_') ||
      known.includes(variable) ||
      nearestNames(variable, known, misspelling).length === 0
    )
      continue;
    throw unknown(variable, 'the environment', known);
  }
}

function unknown(name: string, source: string, known: readonly string[]): HelixError {
  const [near] = nearestNames(name, known, misspelling);
  return new HelixError(
    'usage.invalid',
    `${name} (from ${source}) is no setting${near ? `; did you mean ${near}?` : `; known are ${known.join(', ')}`}`,
  );
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
