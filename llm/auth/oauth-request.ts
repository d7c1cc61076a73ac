import { thrownError } from '../providers/errors.ts';
import type { ErrorContext } from '../providers/errors.ts';

/** How long an issuer of tokens may take to answer. */
const timeoutMs = 30_000;

export interface OAuthAnswer {
  status: number;
  headers: Headers;
  /** Without members where the answer was no JSON object. */
  body: Record<string, unknown>;
}

/**
 * Asks an issuer of tokens, by POST when there is a form. Answers that are no success are returned like others, for OAuth says a lot with them.
 * Throws `llm.unavailable` when nothing answers.
 */
export async function askIssuer(
  context: ErrorContext,
  url: string,
  {
    form,
    headers,
    signal,
  }: { form?: Record<string, string>; headers?: Record<string, string>; signal?: AbortSignal | undefined },
): Promise<OAuthAnswer> {
  const late = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
      headers: { accept: 'application/json', ...headers },
      // A token must not follow a redirect elsewhere.
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parseObject(text) };
  } catch (thrown) {
    if (signal?.aborted) throw signal.reason;
    throw thrownError(context, thrown);
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
