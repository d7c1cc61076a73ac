import { z } from 'zod';
import { type ErrorCode, errorCodes, HelixError } from '../contracts/error.ts';
import type { Http } from './http.ts';
import { readJsonLines } from './json-lines.ts';

const errorLineSchema = z.object({ type: z.literal('error'), code: z.string(), message: z.string() });

/** What the server answers a request with, line by line as it comes. A line that says what went wrong is thrown. */
export async function* postForLines<Schema extends z.ZodType>(
  http: Http,
  path: string,
  body: unknown,
  schema: Schema,
  signal?: AbortSignal,
): AsyncGenerator<z.output<Schema>> {
  const response = await http.send(path, { method: 'POST', body, ...(signal ? { signal } : {}) });
  for await (const line of readJsonLines(http.body(response, signal))) {
    const error = errorLineSchema.safeParse(line);
    if (error.success) throw new HelixError(knownCode(error.data.code), error.data.message);
    yield schema.parse(line);
  }
}

function knownCode(code: string): ErrorCode {
  return Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'internal';
}
