import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import type { Candidate } from './candidate.ts';
import type { Found } from './found.ts';
import { nodeName } from './parse-target.ts';
import { expandHome } from './ssh-config.ts';

const hostSchema = z.strictObject({
  host: z.string().min(1),
  port: z.number().optional(),
  user: z.string().optional(),
  keyFile: z.string().transform(expandHome).optional(),
  passphrase: z.string().optional(),
  fingerprint: z.string().optional(),
  knownHosts: z.string().transform(expandHome).optional(),
});
const entrySchema = hostSchema.extend({
  name: z.string().optional(),
  jumps: z.array(hostSchema).optional(),
  root: z.string().optional(),
  slots: z.number().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

/** Machines of a JSON list; docs/fleet.md has its form. One that is wrong is refused, the others are taken. Throws `usage.invalid`. */
export function importJson(file: string): Found {
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new HelixError('usage.invalid', `${file} cannot be read as JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(list)) throw new HelixError('usage.invalid', `${file} holds no list: write [{"host": ...}, ...]`);
  const found: Found = { candidates: [], refused: [], notices: [] };
  for (const [index, entry] of (list as unknown[]).entries()) {
    const parsed = entrySchema.safeParse(entry);
    if (parsed.success) found.candidates.push(toCandidate(parsed.data));
    else {
      const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the entry'}: ${message}`);
      found.refused.push({ name: nameOf(entry) ?? `entry ${index + 1}`, reason: issues.join('; ') });
    }
  }
  return found;
}

function toCandidate({ name, ...rest }: z.infer<typeof entrySchema>): Candidate {
  return { name: name ?? nodeName(rest.host), ...withoutUndefined(rest) };
}

function withoutUndefined<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function nameOf(entry: unknown): string | undefined {
  const { name, host } = (entry ?? {}) as { name?: unknown; host?: unknown };
  return [name, host].find((text) => typeof text === 'string');
}
