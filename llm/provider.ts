import type {
  LlmRequest,
  LlmResponse,
  LlmStreamEvent,
  ModelInfo,
  ProviderCapabilities,
  ProviderHealth,
} from '../contracts/llm.ts';

export interface CallOptions {
  signal?: AbortSignal;
  /** The same on every attempt of one call, for providers that answer a repeated call only once. */
  idempotencyKey?: string;
}

/**
 * One provider of language models. Nothing is retried in here: a failed call is a HelixError, and whoever calls decides.
 *
 * Errors: `llm.authentication`, `llm.model-not-found`, `llm.invalid-request`, `llm.context-exceeded`, `llm.unsupported`;
 * `llm.rate-limited`, `llm.quota-exceeded` and `llm.overloaded` with `details.retryAfterMs` where the provider says it; `llm.unavailable` when it
 * cannot be reached, answers 5xx or a stream breaks off; `llm.malformed-answer`. The signal's reason when aborted.
 */
export interface LlmProvider {
  /** As it stands before the `/` in `anthropic/claude-...`. */
  readonly name: string;
  generate(request: LlmRequest, options?: CallOptions): Promise<LlmResponse>;
  /** Begins the call when it is iterated. Leaving the loop ends the call. */
  generateStream(request: LlmRequest, options?: CallOptions): AsyncIterable<LlmStreamEvent>;
  /** The models that the provider lists now, with what is known of each. */
  getModels(options?: CallOptions): Promise<ModelInfo[]>;
  getCapabilities(): ProviderCapabilities;
  /** Asks the provider something that costs nothing. Never throws. */
  getHealth(options?: CallOptions): Promise<ProviderHealth>;
  /** Whether it is configured and healthy. */
  isAvailable(options?: CallOptions): Promise<boolean>;
  close(): Promise<void>;
}

/** What every provider can be given in the configuration; secrets are resolved already. */
export interface ProviderSettings {
  apiKey?: string | undefined;
  baseUrl?: string | undefined;
  headers?: Record<string, string> | undefined;
  /** From sending the request to the first byte of the answer. */
  timeoutMs?: number | undefined;
}
