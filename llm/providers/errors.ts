import { HelixError } from '../../contracts/error.ts';
import type { ErrorCode } from '../../contracts/error.ts';
import { redactText } from '../../observability/redact.ts';
import { retryAfterMs } from './retry-after.ts';

/** Which call an error is about. `secrets` are cut out of all that is said about it. */
export interface ErrorContext {
  provider: string;
  model?: string | undefined;
  secrets: readonly (string | undefined)[];
}

/** What is known of an HTTP answer that was no success. `body` is the parsed JSON, or the text where it is none. */
export interface HttpFailure {
  status: number;
  headers?: Headers | undefined;
  body?: unknown;
  /** Where the provider says it elsewhere than in a header; in milliseconds. */
  retryAfterMs?: number | undefined;
}

/**
 * The HelixError for an HTTP answer that was no success. Its details are `provider`, `model`, `status`, `requestId`, `reason` (the provider's
 * own words) and, where it is known, `retryAfterMs`.
 */
export function httpError(context: ErrorContext, failure: HttpFailure): HelixError {
  const said = readBody(failure.body);
  const wait = failure.retryAfterMs ?? retryAfterMs(failure.headers) ?? said.retryAfterMs;
  const code = codeOf(failure.status, said, wait, context.model !== undefined);
  const reason = redact(context, said.message).slice(0, 1000);
  const requestId = failure.headers?.get('request-id') ?? failure.headers?.get('x-request-id') ?? undefined;
  const words = reason === '' ? `HTTP ${failure.status}` : `HTTP ${failure.status}: ${reason}`;
  return new HelixError(code, sentence(code, context, words, wait), {
    details: {
      ...about(context),
      status: failure.status,
      ...(reason === '' ? {} : { reason }),
      ...(requestId === undefined ? {} : { requestId: redact(context, requestId) }),
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
    },
  });
}

/** The call cannot be understood as an answer: broken JSON, an unknown shape, nothing at all. `what` completes "anthropic ...". */
export function malformedAnswer(context: ErrorContext, what: string, cause?: unknown): HelixError {
  return new HelixError(
    'llm.malformed-answer',
    `${subject(context)} ${redact(context, what)}. Calling it again may help.`,
    {
      details: about(context),
      cause: harmless(context, cause),
    },
  );
}

/** The connection was not made or did not last. `what` completes "anthropic ...". */
export function unavailable(context: ErrorContext, what: string, cause?: unknown): HelixError {
  const reason = cause === undefined ? undefined : networkCode(cause);
  return new HelixError(
    'llm.unavailable',
    `${subject(context)} ${redact(context, what)}${reason === undefined ? '' : ` (${reason})`}. ` +
      'Check the network and its base URL, or try again later.',
    { details: { ...about(context), ...(reason === undefined ? {} : { reason }) }, cause: harmless(context, cause) },
  );
}

/** The provider or the model cannot do what the request asks for. `what` completes "anthropic ...". */
export function unsupported(context: ErrorContext, what: string): HelixError {
  return new HelixError('llm.unsupported', `${subject(context)} ${redact(context, what)}.`, {
    details: about(context),
  });
}

/** The HelixError for whatever `fetch`, a vendor's SDK or the reading of a stream threw. A HelixError among the causes is returned as it is. */
export function thrownError(context: ErrorContext, thrown: unknown): HelixError {
  const causes = chain(thrown);
  const ours = causes.find((cause) => cause instanceof HelixError);
  if (ours) return ours;
  const answered = causes.find((cause) => typeof field(cause, 'status') === 'number');
  if (answered !== undefined) {
    const headers = field(answered, 'headers');
    return httpError(context, {
      status: field(answered, 'status') as number,
      headers: headers instanceof Headers ? headers : undefined,
      body: field(answered, 'error') ?? field(answered, 'message'),
    });
  }
  if (networkCode(thrown) !== undefined || causes.some(isNetworkFailure)) {
    return unavailable(context, 'cannot be reached, or broke off its answer', thrown);
  }
  const message = thrown instanceof Error ? thrown.message : (JSON.stringify(thrown) ?? typeof thrown);
  // Cut behind the redaction: half a key would not be found any more.
  return malformedAnswer(
    context,
    `gave an answer that cannot be read (${redact(context, message).slice(0, 300)})`,
    thrown,
  );
}

/** The text without the context's secrets and whatever else looks like one. */
export function redact(context: ErrorContext, text: string): string {
  let clean = text;
  for (const secret of context.secrets) {
    if (secret !== undefined && secret.length >= 4) clean = clean.replaceAll(secret, '[redacted]');
  }
  return redactText(clean);
}

interface Said {
  message: string;
  /** Machine-readable words of the answer, in lower case: types, codes, reasons. */
  labels: string;
  retryAfterMs?: number;
}

function readBody(body: unknown): Said {
  if (body === undefined || body === null) return { message: '', labels: '' };
  if (typeof body === 'string') return readText(body);
  const outer = Array.isArray(body) ? (body as unknown[])[0] : body;
  const error = field(outer, 'error') ?? outer;
  const message = [error, field(error, 'message'), field(outer, 'message'), field(outer, 'detail')].find(
    (candidate) => typeof candidate === 'string',
  );
  const labels = JSON.stringify(error).toLowerCase();
  const delay = /"retrydelay":"(\d+(?:\.\d+)?)s"/.exec(labels)?.[1];
  return {
    message: typeof message === 'string' ? message : JSON.stringify(error),
    labels,
    ...(delay === undefined ? {} : { retryAfterMs: Math.ceil(Number(delay) * 1000) }),
  };
}

function readText(text: string): Said {
  const trimmed = text.trim();
  if (/^[[{]/.test(trimmed)) {
    try {
      return readBody(JSON.parse(trimmed));
    } catch {
      // Cut JSON is text like any other.
    }
  }
  const plain = /^</.test(trimmed) ? 'an HTML page, so this may not be the API' : trimmed;
  return { message: plain, labels: plain.toLowerCase() };
}

const contextWords =
  /context[_ ]length|context window|prompt is too long|maximum context|input token count|too many (?:input )?tokens|input is too long|exceeds? (?:the )?(?:context|maximum number of tokens)|maximum prompt length/;
const keyWords = /api[ _]key[ _](?:not valid|invalid|expired)|invalid[ _]api[ _]key|api key not found/;
const moneyWords =
  /insufficient[_ ]quota|credit balance|insufficient[_ ](?:credits|balance|funds)|billing_(?:error|hard)|spend_limit/;
const dayWords = /perday|per day/;
const modelWords =
  /model[_ ]not[_ ]found|no such model|model .{0,80}(?:not found|does not exist|is not supported|not a valid model)/;

function codeOf(status: number, said: Said, wait: number | undefined, namesModel: boolean): AnsweredCode {
  const words = `${said.labels} ${said.message.toLowerCase()}`;
  if (status === 401 || keyWords.test(words)) return 'llm.authentication';
  if (status === 402) return 'llm.quota-exceeded';
  if (status === 403) return /moderat|flagged/.test(words) ? 'llm.invalid-request' : 'llm.authentication';
  if (status === 429) {
    const spent =
      moneyWords.test(words) ||
      dayWords.test(words) ||
      (wait === undefined && words.includes('exceeded your current quota'));
    return spent ? 'llm.quota-exceeded' : 'llm.rate-limited';
  }
  if (status === 529 || (status >= 500 && /overload/.test(words))) return 'llm.overloaded';
  if (status === 503 && wait !== undefined) return 'llm.overloaded';
  if (status >= 500 || status < 400 || [405, 408, 409, 425, 499].includes(status)) return 'llm.unavailable';
  if (status === 413 || contextWords.test(words)) return 'llm.context-exceeded';
  if (moneyWords.test(words)) return 'llm.quota-exceeded';
  if (status === 404) return namesModel ? 'llm.model-not-found' : 'llm.unavailable';
  return namesModel && modelWords.test(words) ? 'llm.model-not-found' : 'llm.invalid-request';
}

type AnsweredCode = Extract<ErrorCode, `llm.${string}`>;

function sentence(code: AnsweredCode, context: ErrorContext, words: string, wait: number | undefined): string {
  const who = subject(context);
  const when = wait === undefined ? 'later' : `in ${Math.ceil(wait / 1000)} seconds`;
  switch (code) {
    case 'llm.authentication':
      return `${who} does not accept the key or its rights (${words}). Check the key configured for ${context.provider}.`;
    case 'llm.quota-exceeded':
      return `The quota or credit at ${who} is used up (${words}). Raise it there, or go on ${when}.`;
    case 'llm.rate-limited':
      return `${who} limits the rate of calls (${words}). Call again ${when}.`;
    case 'llm.overloaded':
      return `${who} is overloaded (${words}). Call again ${when}.`;
    case 'llm.context-exceeded':
      return `The request is too long for ${who} (${words}). Shorten the conversation or choose a model with a longer context.`;
    case 'llm.model-not-found':
      return `${context.provider} has no model ${context.model ?? ''} for this key (${words}). Choose one that it lists.`;
    case 'llm.unavailable':
      return `${who} failed (${words}). Check its base URL, or try again ${when}.`;
    case 'llm.not-configured':
    case 'llm.unsupported':
    case 'llm.malformed-answer':
    case 'llm.invalid-request':
      return `${who} refuses the request (${words}).`;
  }
}

const networkCodes =
  /^(?:E(?:CONN|NOTFOUND|AI_|HOST|NET|PIPE|TIMEDOUT|PROTO)|UND_ERR|ERR_(?:TLS|SSL|STREAM_PREMATURE)|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HPE_)/;

function networkCode(thrown: unknown): string | undefined {
  for (const cause of chain(thrown)) {
    const code = field(cause, 'code');
    if (typeof code === 'string' && networkCodes.test(code)) return code;
  }
  return undefined;
}

function isNetworkFailure(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  return (
    ['AbortError', 'TimeoutError', 'APIConnectionError', 'APIConnectionTimeoutError'].includes(cause.name) ||
    /^(?:fetch failed|terminated|network error|premature close)/i.test(cause.message)
  );
}

/** The error, its cause, the cause's cause …; an AggregateError's first stands for all. */
function chain(thrown: unknown): unknown[] {
  const found: unknown[] = [];
  for (let current = thrown; current !== undefined && current !== null && found.length < 10;) {
    found.push(current);
    current = field(current, 'cause') ?? (current instanceof AggregateError ? current.errors[0] : undefined);
  }
  return found;
}

/** A copy that holds no headers, requests or keys: vendors' errors carry them, and loggers print causes. */
function harmless(context: ErrorContext, cause: unknown): Error | undefined {
  if (cause === undefined) return undefined;
  if (!(cause instanceof Error)) return new Error(redact(context, JSON.stringify(cause) ?? typeof cause));
  const copy = new Error(redact(context, `${cause.name}: ${cause.message}`));
  if (cause.stack !== undefined) copy.stack = redact(context, cause.stack);
  return copy;
}

function subject({ provider, model }: ErrorContext): string {
  return model === undefined ? provider : `${provider}/${model}`;
}

function about({ provider, model }: ErrorContext): Record<string, unknown> {
  return { provider, ...(model === undefined ? {} : { model }) };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
