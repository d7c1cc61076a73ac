import { HelixError } from '../../contracts/error.ts';
import type { LlmResponse, LlmStreamEvent, ProviderHealth } from '../../contracts/llm.ts';
import type { CallOptions, ProviderSettings } from '../provider.ts';
import { httpError, malformedAnswer, thrownError, unavailable } from './errors.ts';
import type { ErrorContext } from './errors.ts';

/** Below the 300 s after which Node's fetch itself gives up on a silent server. */
const defaultTimeoutMs = 290_000;

/** One call under way: its signal ends with the caller's, or when the first byte does not come in time. */
export interface Call {
  readonly signal: AbortSignal;
  /** The answer has begun: it may take as long as it likes from now on. */
  answered(): void;
  /** What to throw for something that was thrown during the call: a HelixError, or the reason of the caller's signal. */
  failure(thrown: unknown): unknown;
  /** Stops the clock, and the request if it still runs. */
  end(): void;
}

/** Starts the clock of a call. `end` has to be called whatever happens. */
export function beginCall(context: ErrorContext, settings: ProviderSettings, options: CallOptions = {}): Call {
  const own = new AbortController();
  const timeoutMs = settings.timeoutMs ?? defaultTimeoutMs;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    own.abort();
  }, timeoutMs);
  return {
    signal: options.signal ? AbortSignal.any([options.signal, own.signal]) : own.signal,
    answered: () => clearTimeout(timer),
    failure: (thrown) => {
      if (options.signal?.aborted) return options.signal.reason;
      if (late) return unavailable(context, `did not begin its answer within ${timeoutMs} ms`);
      return thrownError(context, thrown);
    },
    end: () => {
      clearTimeout(timer);
      own.abort();
    },
  };
}

/**
 * A fetch that throws the right HelixError for an HTTP answer that is no success, before a vendor's SDK drops its headers. `context` is asked at the
 * time of the error.
 */
export function checkedFetch(context: () => ErrorContext): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (response.ok) return response;
    const body = await response.text().catch(() => '');
    throw httpError(context(), { status: response.status, headers: response.headers, body: body.slice(0, 100_000) });
  };
}

/** What of the settings must not turn up in errors. */
export function secretsOf({ apiKey, headers = {} }: ProviderSettings): (string | undefined)[] {
  const secret = Object.entries(headers).filter(([name]) => /auth|key|token|secret|cookie/i.test(name));
  return [apiKey, ...secret.flatMap(([, value]) => [value, ...value.split(' ')])];
}

/** Reads a stream to its end: the whole answer. */
export async function finished(context: ErrorContext, stream: AsyncIterable<LlmStreamEvent>): Promise<LlmResponse> {
  for await (const event of stream) if (event.type === 'finish') return event.response;
  throw malformedAnswer(context, 'ended its answer without finishing it');
}

/** The error of a call that cannot be made. `what` is missing, e.g. `an API key`; `variable` is the vendor's own for it. */
export function notConfigured(provider: string, what: string, variable: string): HelixError {
  return new HelixError(
    'llm.not-configured',
    `${provider} needs ${what}: set ${variable}, or give it in the configuration.`,
    {
      details: { provider },
    },
  );
}

/** What the outcome of a small question says of a provider's health. Never throws. */
export async function healthOf(ask: () => Promise<unknown>): Promise<ProviderHealth> {
  const begun = performance.now();
  try {
    await ask();
    return { status: 'healthy', latencyMs: Math.round(performance.now() - begun), checkedAt: new Date().toISOString() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'the check was aborted';
    return { status: statusOf(error), reason, checkedAt: new Date().toISOString() };
  }
}

function statusOf(error: unknown): ProviderHealth['status'] {
  if (!(error instanceof HelixError)) return 'unreachable';
  if (error.code === 'llm.not-configured' || error.code === 'llm.authentication') return 'unconfigured';
  // Without a status nobody answered.
  return error.code === 'llm.unavailable' && error.details['status'] === undefined ? 'unreachable' : 'degraded';
}
