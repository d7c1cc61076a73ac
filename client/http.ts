import type { z } from 'zod';
import { problemSchema } from '../contracts/api.ts';
import { type ErrorCode, errorCodes, HelixError } from '../contracts/error.ts';

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: unknown;
  /** A body as it is, instead of JSON. */
  bytes?: Uint8Array;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** One API server, spoken to by HTTP. Every failure is a HelixError; a request whose signal is aborted throws the signal's reason. */
export class Http {
  readonly baseUrl: string;

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl.replace(/\/+$/, '');
  }

  /** The response when its status says success. */
  async send(path: string, options: RequestOptions = {}): Promise<Response> {
    const { method = 'GET', body, bytes, headers, signal } = options;
    let response: Response;
    try {
      response = await fetch(`${this.baseUrl}/v1${path}`, {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(bytes ? { body: Buffer.from(bytes) } : {}),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw this.unreachable(error);
    }
    if (!response.ok) throw await this.#problem(response);
    return response;
  }

  async json<Schema extends z.ZodType>(
    schema: Schema,
    path: string,
    options: RequestOptions = {},
  ): Promise<z.output<Schema>> {
    const response = await this.send(path, options);
    const body: unknown = await response.json().catch((error: unknown) => {
      options.signal?.throwIfAborted();
      throw this.unreachable(error);
    });
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new HelixError(
      'internal',
      `${this.baseUrl} answered something else than expected: is it HelixCode, of the same version?`,
      {
        cause: parsed.error,
      },
    );
  }

  /** The response's body in pieces. Throws `stack.unreachable` when it breaks off. */
  async *body(response: Response, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    if (!response.body) return;
    const reader = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read().catch((error: unknown) => {
          signal?.throwIfAborted();
          throw this.unreachable(error);
        });
        if (done) return;
        yield value;
      }
    } finally {
      // Closes the connection when the caller stops early; does nothing at the end.
      await reader.cancel().catch(() => undefined);
    }
  }

  /** What a broken connection means to a user. */
  unreachable(error: unknown): HelixError {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = (cause as { code?: string }).code ?? (cause instanceof Error ? cause.message : String(cause));
    return new HelixError(
      'stack.unreachable',
      `HelixCode does not answer at ${this.baseUrl} (${reason}): start it with "helix up"`,
      {
        cause: error,
      },
    );
  }

  async #problem(response: Response): Promise<HelixError> {
    const parsed = problemSchema.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success) {
      return new HelixError('internal', `${this.baseUrl} answered with status ${response.status}: is it HelixCode?`);
    }
    const { code, detail, details = {}, errors } = parsed.data;
    const knownCode = Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'internal';
    return new HelixError(knownCode, detail, { details: { ...details, ...(errors ? { errors } : {}) } });
  }
}
