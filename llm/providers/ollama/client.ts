import { Ollama } from 'ollama';
import { HelixError } from '../../../contracts/error.ts';
import type { ProviderSettings } from '../../provider.ts';
import { beginCall, secretsOf } from '../call.ts';
import type { Call } from '../call.ts';
import { httpError } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { guardedLines } from './guarded-lines.ts';

const defaultAddress = 'http://127.0.0.1:11434';

/** A call of Ollama under way: the vendor's client, tied to the call's clock and signal. */
export interface OllamaCall extends Call {
  client: Ollama;
  context: ErrorContext;
}

/**
 * Begins a call. The vendor's client takes neither signals nor timeouts, prints what it cannot parse and loses the status of answers that are no
 * success, so its fetch does all of that.
 */
export function beginOllamaCall(
  settings: ProviderSettings,
  model: string | undefined,
  options: { signal?: AbortSignal; streams?: boolean } = {},
): OllamaCall {
  const context: ErrorContext = { provider: 'ollama', model, secrets: secretsOf(settings) };
  const call = beginCall(context, settings, options);
  const address = settings.baseUrl ?? defaultAddress;
  const client = new Ollama({
    host: address,
    headers: { ...(settings.apiKey ? { authorization: `Bearer ${settings.apiKey}` } : {}), ...settings.headers },
    fetch: async (input, init) => {
      const response = await fetch(input, { ...init, signal: call.signal });
      if (response.ok) return options.streams ? guardedLines(response, context) : response;
      const body = (await response.text().catch(() => '')).slice(0, 100_000);
      throw httpError(context, { status: response.status, headers: response.headers, body });
    },
  });
  return { ...call, client, context, failure: (thrown) => explain(call.failure(thrown), context, address) };
}

/** The two errors that only the user can mend, with what to do. */
function explain(error: unknown, context: ErrorContext, address: string): unknown {
  if (!(error instanceof HelixError)) return error;
  if (error.code === 'llm.unavailable' && error.details['reason'] === 'ECONNREFUSED') {
    return new HelixError(
      'llm.unavailable',
      `Ollama is not running at ${URL.canParse(address) ? new URL(address).host : 'its address'}. Start it with: ollama serve`,
      { details: error.details },
    );
  }
  if (error.code === 'llm.model-not-found') {
    return new HelixError(
      'llm.model-not-found',
      `Ollama has no model ${context.model} (${String(error.details['reason'])}). Fetch it with: helix models pull ollama/${context.model}`,
      {
        details: error.details,
      },
    );
  }
  return error;
}
