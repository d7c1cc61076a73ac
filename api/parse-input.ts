import type { z } from 'zod';
import { HelixError } from '../contracts/error.ts';

export interface FieldError {
  /** Dotted path within the body or the query, e.g. `modes.0`; empty for the whole. */
  field: string;
  message: string;
}

/** Reads a value from outside by its contract. Throws `usage.invalid` that names each field at fault. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((issue): FieldError => {
    const field = issue.path.join('.');
    return { field, message: issue.message + shownInput(issue.path[0], issue.input) };
  });
  const message = errors.map(({ field, message: why }) => (field ? `${field}: ${why}` : why)).join('; ');
  throw new HelixError('usage.invalid', message, { details: { errors } });
}

/** The refused value, when it is short and cannot be a secret. */
function shownInput(topField: PropertyKey | undefined, input: unknown): string {
  if (topField === 'env') return '';
  if (typeof input !== 'string' && typeof input !== 'number' && typeof input !== 'boolean') return '';
  const text = JSON.stringify(input);
  return text.length > 100 ? '' : ` (got ${text})`;
}
