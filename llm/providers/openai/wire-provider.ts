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
  /** False for servers that cannot stream what is asked of them: answers come in one piece then. */
  streams?: boolean | undefined;
  /** Says better what a failure means, where the server's own words are misleading. */
  explain?(failure: unknown): unknown;
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
    // Also for a whole answer, as thinking may take longer than Node's fetch waits for one that does not begin.
    return finished({ provider: this.name, model: request.model, secrets: [] }, this.generateStream(request, options));
  }

  async *generateStream(request: LlmRequest, options: CallOptions = {}): AsyncGenerator<LlmStreamEvent, void> {
    const { settings, credentials: source, streams = true } = this.#definition;
    const secrets: (string | undefined)[] = [];
    const context = { provider: this.name, model: request.model, secrets };
    const call = beginCall(context, settings, options);
    try {
      const answer = this.#answer(request, context);
      const pieces = await withCredentials(source, options, async (credentials) => {
        secrets.push(...secretsOf(credentials));
        const { path, body } = answer;
        const sending = { body, signal: call.signal, headers: this.#headers(request, options) };
        const client = openClient(credentials, context);
        if (!streams) return [await client.post<unknown>(path, sending)];
        return client.post<AsyncIterable<unknown>>(path, { ...sending, stream: true });
      });
      let count = 0;
      for await (const piece of pieces) {
        count += 1;
        call.answered();
        yield* streams ? answer.add(piece) : answer.addWhole(piece);
      }
      // The SDK's stream ends in silence when its signal does.
      call.signal.throwIfAborted();
      if (count === 0) throw malformedAnswer(context, 'gave an empty answer');
      yield { type: 'finish', response: answer.finish() };
    } catch (thrown) {
      throw this.#explained(call.failure(inStream(context, thrown)));
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
      throw this.#explained(call.failure(thrown));
    } finally {
      call.end();
    }
  }

  #explained(failure: unknown): unknown {
    return this.#definition.explain?.(failure) ?? failure;
  }

  #headers(request: LlmRequest, { idempotencyKey }: CallOptions): Record<string, string> {
    return {
      ...this.#definition.headers?.(request),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    };
  }

  /** Where the request goes, what is sent, and what puts the answer together. */
  #answer(request: LlmRequest, context: ErrorContext) {
    const { dialect, api, adaptResponses, streams = true } = this.#definition;
    const stream = streams ? { stream: true } : {};
    if (api?.(request) === 'responses') {
      const answer = new ResponsesAnswer(request, context);
      const body = responsesBody(request, context);
      const adapted = adaptResponses?.(body, request) ?? body;
      return {
        path: '/responses',
        body: { ...withOptions(adapted, request.providerOptions[dialect.name]), ...stream },
        add: (event: unknown) => answer.add(event as Record<string, unknown>),
        addWhole: (response: unknown) => answer.addWhole(response),
        finish: () => answer.finish(),
      };
    }
    const answer = new ChatAnswer(request, dialect, context);
    const usage = streams && dialect.asksForUsage ? { stream_options: { include_usage: true } } : {};
    const add = (chunk: unknown) => answer.add(chunk as WireCompletion);
    return {
      path: '/chat/completions',
      body: { ...chatBody(request, dialect), ...stream, ...usage },
      add,
      addWhole: add,
      finish: () => answer.finish(),
    };
  }
}
