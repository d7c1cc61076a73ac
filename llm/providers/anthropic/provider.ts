import Anthropic, { APIError } from '@anthropic-ai/sdk';
import type {
  LlmRequest,
  LlmResponse,
  LlmStreamEvent,
  ModelInfo,
  ProviderCapabilities,
  ProviderHealth,
} from '../../../contracts/llm.ts';
import { modelInfo } from '../../models/catalog.ts';
import type { CallOptions, LlmProvider, ProviderSettings } from '../../provider.ts';
import { beginCall, finished, healthOf, notConfigured, secretsOf } from '../call.ts';
import { malformedAnswer, unavailable } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { AnswerReader } from './answer.ts';
import { providerName } from './messages.ts';
import { toCall } from './request.ts';

/** Opens Anthropic's Messages API, or an address that speaks it. Of the environment only the SDK's own ANTHROPIC_CUSTOM_HEADERS counts. */
export function openAnthropic(settings: ProviderSettings): LlmProvider {
  return new AnthropicProvider(settings);
}

class AnthropicProvider implements LlmProvider {
  readonly name = providerName;
  readonly #settings: ProviderSettings;
  readonly #client: Anthropic;

  constructor(settings: ProviderSettings) {
    this.#settings = settings;
    const { apiKey, baseUrl, headers } = settings;
    this.#client = new Anthropic({
      // Always given, so that the SDK does not look for another in the environment and in files of its own.
      apiKey: apiKey ?? 'none',
      baseURL: baseUrl?.replace(/\/+(?:v1\/*)?$/, '') ?? 'https://api.anthropic.com',
      defaultHeaders: { ...(apiKey ? {} : { authorization: null }), ...headers },
      maxRetries: 0,
      // The call's own signal keeps the time.
      timeout: 2 ** 31 - 1,
      // It would print answers that it cannot parse.
      logLevel: 'off',
    });
  }

  async generate(request: LlmRequest, options?: CallOptions): Promise<LlmResponse> {
    return finished(this.#context(request.model), this.generateStream(request, options));
  }

  async *generateStream(request: LlmRequest, options: CallOptions = {}): AsyncGenerator<LlmStreamEvent> {
    const context = this.#context(request.model);
    this.#requireKey();
    const { body, betas, answersByTool } = toCall(request);
    const call = beginCall(context, this.#settings, options);
    try {
      const headers = {
        ...(betas.length > 0 ? { 'anthropic-beta': betas.join(',') } : {}),
        ...(options.idempotencyKey ? { 'idempotency-key': options.idempotencyKey } : {}),
      };
      const stream = await this.#client.messages.create(body, { signal: call.signal, headers });
      const reader = new AnswerReader(request.model, answersByTool);
      let events = 0;
      for await (const event of stream) {
        call.answered();
        events += 1;
        const shown = reader.read(event);
        if (shown) yield shown;
      }
      // The SDK ends the loop without an error when the request was aborted.
      call.signal.throwIfAborted();
      if (events === 0) throw malformedAnswer(context, 'gave an empty answer');
      if (!reader.finished) throw unavailable(context, 'broke off its answer');
      yield { type: 'finish', response: reader.response() };
    } catch (thrown) {
      throw call.failure(withStatus(thrown));
    } finally {
      call.end();
    }
  }

  async getModels(options: CallOptions = {}): Promise<ModelInfo[]> {
    this.#requireKey();
    const call = beginCall(this.#context(), this.#settings, options);
    try {
      const found: ModelInfo[] = [];
      for await (const model of this.#client.models.list({ limit: 1000 }, { signal: call.signal }))
        found.push(describe(model));
      return found;
    } catch (thrown) {
      throw call.failure(thrown);
    } finally {
      call.end();
    }
  }

  getCapabilities(): ProviderCapabilities {
    return { streaming: true, tools: true, vision: true, thinking: true, promptCache: true, structuredOutput: true };
  }

  async getHealth(options: CallOptions = {}): Promise<ProviderHealth> {
    return healthOf(async () => {
      this.#requireKey();
      const call = beginCall(this.#context(), this.#settings, options);
      try {
        await this.#client.models.list({ limit: 1 }, { signal: call.signal });
      } catch (thrown) {
        throw call.failure(thrown);
      } finally {
        call.end();
      }
    });
  }

  async isAvailable(options?: CallOptions): Promise<boolean> {
    return (await this.getHealth(options)).status === 'healthy';
  }

  async close(): Promise<void> {
    // Connections belong to the process.
  }

  #context(model?: string): ErrorContext {
    return { provider: providerName, model, secrets: secretsOf(this.#settings) };
  }

  #requireKey(): void {
    const { apiKey, headers = {} } = this.#settings;
    const inHeaders = Object.keys(headers).some((name) => /^(?:authorization|x-api-key)$/i.test(name));
    if (!apiKey && !inHeaders) throw notConfigured(providerName, 'an API key', 'ANTHROPIC_API_KEY');
  }
}

/** Errors within a stream come without a status: their type stands for one. */
function withStatus(thrown: unknown): unknown {
  if (!(thrown instanceof APIError) || thrown.status !== undefined || thrown.type === null) return thrown;
  const statuses: Record<string, number> = {
    invalid_request_error: 400,
    authentication_error: 401,
    billing_error: 402,
    permission_error: 403,
    not_found_error: 404,
    rate_limit_error: 429,
    api_error: 500,
    timeout_error: 504,
    overloaded_error: 529,
  };
  const status = statuses[thrown.type];
  return status === undefined
    ? thrown
    : Object.assign(new Error(thrown.message), { status, headers: thrown.headers, error: thrown.error });
}

function describe(model: Anthropic.Models.ModelInfo): ModelInfo {
  const known = modelInfo(providerName, model.id);
  const can = model.capabilities;
  return {
    tools: true,
    promptCache: true,
    ...known,
    provider: providerName,
    id: model.id,
    name: model.display_name,
    vision: can?.image_input.supported ?? known?.vision ?? true,
    thinking: can?.thinking.supported ?? known?.thinking ?? false,
    structuredOutput: can?.structured_outputs.supported ?? known?.structuredOutput ?? false,
    ...(model.max_input_tokens ? { contextTokens: model.max_input_tokens } : {}),
    ...(model.max_tokens ? { maxOutputTokens: model.max_tokens } : {}),
  };
}
