import OpenAI, { APIError } from 'openai';
import type { ClientOptions } from 'openai';
import { HelixError } from '../../../contracts/error.ts';
import type { CallOptions } from '../../provider.ts';
import { checkedFetch } from '../call.ts';
import { httpError } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { member } from './wire.ts';

/** By what one call reaches its server. */
export interface Credentials {
  baseUrl: string;
  apiKey?: string | undefined;
  headers?: Record<string, string> | undefined;
}

/** Where the credentials of a call come from: settings, or a token that is renewed from time to time. */
export interface CredentialSource {
  get(options: CallOptions): Promise<Credentials>;
  /** New credentials instead of those that the server refused; without it a refusal is final. */
  renew?(refused: Credentials, options: CallOptions): Promise<Credentials>;
}

/** The vendor's client, without what it takes from the environment on its own: its variables are meant for OpenAI alone. */
class Client extends OpenAI {
  constructor(options: ClientOptions) {
    super(options);
    this._options = { ...this._options, defaultHeaders: options.defaultHeaders };
  }
}

/** A client for one call; errors of HTTP leave it as HelixErrors, in the cause of what is thrown. */
export function openClient(credentials: Credentials, context: ErrorContext): OpenAI {
  return new Client({
    baseURL: credentials.baseUrl,
    apiKey: credentials.apiKey ?? 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    defaultHeaders: { ...(credentials.apiKey === undefined ? { authorization: null } : {}), ...credentials.headers },
    maxRetries: 0,
    // The call's own signal keeps the time.
    timeout: 2 ** 31 - 1,
    logLevel: 'off',
    fetch: checkedFetch(() => context),
  });
}

/** Runs `use`, and once more with new credentials when the server refuses those it had. */
export async function withCredentials<T>(
  source: CredentialSource,
  options: CallOptions,
  use: (credentials: Credentials) => Promise<T>,
): Promise<T> {
  const credentials = await source.get(options);
  try {
    return await use(credentials);
  } catch (thrown) {
    const cause = member(thrown, 'cause');
    const refused = cause instanceof HelixError && cause.details['status'] === 401;
    if (!source.renew || !refused) throw thrown;
    return use(await source.renew(credentials, options));
  }
}

/** What was thrown while a stream was read, where the server told of an error inside of it. */
export function inStream(context: ErrorContext, thrown: unknown): unknown {
  if (!(thrown instanceof APIError) || thrown.status !== undefined || !thrown.error) return thrown;
  return saidError(context, thrown.error);
}

const statusByWords: readonly [RegExp, number][] = [
  [/insufficient_quota|rate_limit|too_many|tokens_exceeded/, 429],
  [/authentication|invalid_api_key/, 401],
  [/overload/, 529],
  [/server_error|internal|timeout|unavailable|engine/, 500],
  [/not_found/, 404],
  [/invalid|context_length|unsupported|policy|image|prompt/, 400],
];

/** The HelixError for an error that the server told of in the body of a successful answer. */
export function saidError(context: ErrorContext, error: unknown): HelixError {
  const code = member(error, 'code');
  const words = `${String(code)} ${String(member(error, 'type'))}`;
  const status =
    Number(code) >= 400 ? Number(code) : (statusByWords.find(([pattern]) => pattern.test(words))?.[1] ?? 500);
  return httpError(context, { status, body: { error: error ?? { message: 'the answer failed' } } });
}
