import type {
  LlmRequest,
  LlmResponse,
  LlmStreamEvent,
  ModelInfo,
  ProviderCapabilities,
  ProviderHealth,
} from '../../../contracts/llm.ts';
import type OpenAI from 'openai';
import type { CallOptions, LlmProvider, ProviderSettings } from '../../provider.ts';
import { beginCall, finished, healthOf, secretsOf } from '../call.ts';
import type { Call } from '../call.ts';
import { malformedAnswer } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { ChatAnswer } from './chat-answer.ts';
import { chatBody } from './chat-request.ts';
import { inStream, openClient, withCredentials } from './connection.ts';
import type { CredentialSource } from './connection.ts';
import type { Dialect, WireBody } from './dialect.ts';
import { ResponsesAnswer } from './responses-answer.ts';
import { responsesBody, withOptions } from './responses-request.ts';
import { member } from './wire.ts';
import type { WireCompletion, WireModel } from './wire.ts';

/** Which of OpenAI's two interfaces is spoken. */
export type WireApi = 'chat' | 'responses';

/** What makes a provider out of a server that speaks one of OpenAI's interfaces. */
export interface WireDefinition {
  dialect: Dialect;
  settings: ProviderSettings;
  credentials: CredentialSource;
  capabilities: ProviderCapabilities;
  /** Chat completions for all requests when left out. */
  api?(request: LlmRequest): WireApi;
  /** Like `Dialect.adapt`, for the Responses API. */
  adaptResponses?(body: WireBody, request: LlmRequest): WireBody;
  /** Headers that depend on the request. */
  headers?(request: LlmRequest): Record<string, string>;
  /** Whole answers are read from a stream too: the server thinks in streams alone. */
  onlyStreams?: boolean;
  /** What health is asked by; it must cost nothing. `/models` when left out. */
  healthPath?: string;
}

/** How long health may take. */
const healthTimeoutMs = 10_000;

/** A provider that is reached with OpenAI's SDK. */
export class WireProvider implements LlmProvider {
  readonly name: string;
  readonly #definition: WireDefinition;

  constructor(definition: WireDefinition) {
    this.name = definition.dialect.name;
    this.#definition = definition;
  }

  async generate(request: LlmRequest, options: CallOptions = {}): Promise<LlmResponse> {
    if (this.#definition.onlyStreams) {
      return finished(
        { provider: this.name, model: request.model, secrets: [] },
        this.generateStream(request, options),
      );
    }
    return this.#call(options, request.model, async (client, context, call) => {
      const answer = this.#answer(request, context);
      answer.addWhole(
        await client.post<unknown>(answer.path, { body: answer.body, ...this.#sending(request, options, call) }),
      );
      return answer.finish();
    });
  }

  async *generateStream(request: LlmRequest, options: CallOptions = {}): AsyncGenerator<LlmStreamEvent, void> {
    const { settings, credentials: source, dialect } = this.#definition;
    const secrets: (string | undefined)[] = [];
    const context = { provider: this.name, model: request.model, secrets };
    const call = beginCall(context, settings, options);
    try {
      const answer = this.#answer(request, context);
      const usage = answer.path === '/chat/completions' && dialect.asksForUsage;
      const body = { ...answer.body, stream: true, ...(usage ? { stream_options: { include_usage: true } } : {}) };
      const stream = await withCredentials(source, options, async (credentials) => {
        secrets.push(...secretsOf(credentials));
        const sending = this.#sending(request, options, call);
        return openClient(credentials, context).post<AsyncIterable<unknown>>(answer.path, {
          body,
          stream: true,
          ...sending,
        });
      });
      for await (const piece of stream) {
        call.answered();
        yield* answer.add(piece);
      }
      // The SDK's stream ends in silence when its signal does.
      call.signal.throwIfAborted();
      yield { type: 'finish', response: answer.finish() };
    } catch (thrown) {
      throw call.failure(inStream(context, thrown));
    } finally {
      call.end();
    }
  }

  async getModels(options: CallOptions = {}): Promise<ModelInfo[]> {
    return this.#call(options, undefined, async (client, context, call) => {
      const answer = await client.get<unknown>('/models', { signal: call.signal });
      const list = Array.isArray(answer) ? (answer as unknown[]) : member(answer, 'data');
      if (!Array.isArray(list)) throw malformedAnswer(context, 'listed its models in a form that is not known');
      const entries = (list as unknown[]).filter((entry) => typeof member(entry, 'id') === 'string');
      return entries.map((entry) => this.#definition.dialect.modelInfo(entry as WireModel));
    });
  }

  getCapabilities(): ProviderCapabilities {
    return this.#definition.capabilities;
  }

  async getHealth(options: CallOptions = {}): Promise<ProviderHealth> {
    const { settings, healthPath = '/models' } = this.#definition;
    return healthOf(() =>
      this.#call(options, undefined, (client, _, call) => client.get<unknown>(healthPath, { signal: call.signal }), {
        ...settings,
        timeoutMs: healthTimeoutMs,
      }),
    );
  }

  async isAvailable(options: CallOptions = {}): Promise<boolean> {
    return (await this.getHealth(options)).status === 'healthy';
  }

  async close(): Promise<void> {
    // Nothing stays open between calls.
  }

  async #call<T>(
    options: CallOptions,
    model: string | undefined,
    use: (client: OpenAI, context: ErrorContext, call: Call) => Promise<T>,
    settings: ProviderSettings = this.#definition.settings,
  ): Promise<T> {
    const secrets: (string | undefined)[] = [];
    const context: ErrorContext = { provider: this.name, model, secrets };
    const call = beginCall(context, settings, options);
    try {
      return await withCredentials(this.#definition.credentials, options, async (credentials) => {
        secrets.push(...secretsOf(credentials));
        return use(openClient(credentials, context), context, call);
      });
    } catch (thrown) {
      throw call.failure(thrown);
    } finally {
      call.end();
    }
  }

  #sending(request: LlmRequest, options: CallOptions, call: Call) {
    const key = options.idempotencyKey;
    return {
      signal: call.signal,
      headers: { ...this.#definition.headers?.(request), ...(key === undefined ? {} : { 'idempotency-key': key }) },
    };
  }

  #answer(request: LlmRequest, context: ErrorContext) {
    const { dialect, api, adaptResponses } = this.#definition;
    if (api?.(request) === 'responses') {
      const answer = new ResponsesAnswer(request, context);
      const body = responsesBody(request, context);
      return {
        path: '/responses',
        body: withOptions(adaptResponses?.(body, request) ?? body, request.providerOptions[dialect.name]),
        add: (event: unknown) => answer.add(event as Record<string, unknown>),
        addWhole: (response: unknown) => answer.addWhole(response),
        finish: () => answer.finish(),
      };
    }
    const answer = new ChatAnswer(request, dialect, context);
    return {
      path: '/chat/completions',
      body: chatBody(request, dialect),
      add: (chunk: unknown) => answer.add(chunk as WireCompletion),
      addWhole: (completion: unknown) => answer.add(completion as WireCompletion),
      finish: () => answer.finish(),
    };
  }
}
