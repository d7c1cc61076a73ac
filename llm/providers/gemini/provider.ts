import { GoogleGenAI } from '@google/genai';
import type { HttpOptions, Model } from '@google/genai';
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
import { beginCall, checkedFetch, finished, healthOf, notConfigured, secretsOf } from '../call.ts';
import type { Call } from '../call.ts';
import { malformedAnswer, unavailable } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { AnswerReader } from './answer.ts';
import { providerName } from './contents.ts';
import { toCall } from './request.ts';

/** With a project Gemini is called through Vertex AI, by the key file, or else by the machine's own Google credentials. */
export interface GeminiSettings extends ProviderSettings {
  project?: string | undefined;
  /** A region, or `global`, the default. */
  location?: string | undefined;
  /** Path of a JSON file of Google credentials: a service account's, or of workload identity federation. */
  keyFile?: string | undefined;
}

/** Opens the Gemini API, or Vertex AI. Nothing but Google's own credentials for Vertex is read from the environment. */
export function openGemini(settings: GeminiSettings): LlmProvider {
  return new GeminiProvider(settings);
}

class GeminiProvider implements LlmProvider {
  readonly name = providerName;
  readonly #settings: GeminiSettings;
  #client: GoogleGenAI | undefined;

  constructor(settings: GeminiSettings) {
    this.#settings = settings;
  }

  async generate(request: LlmRequest, options?: CallOptions): Promise<LlmResponse> {
    return finished(this.#context(request.model), this.generateStream(request, options));
  }

  async *generateStream(request: LlmRequest, options: CallOptions = {}): AsyncGenerator<LlmStreamEvent> {
    const context = this.#context(request.model);
    const client = this.#open();
    const { config, ...rest } = toCall(request);
    const call = beginCall(context, this.#settings, options);
    let chunks = 0;
    try {
      const stream = await client.models.generateContentStream({
        ...rest,
        config: { ...config, ...this.#transport(context, call) },
      });
      const reader = new AnswerReader(request.model);
      for await (const chunk of stream) {
        call.answered();
        chunks += 1;
        yield* reader.read(chunk);
      }
      call.signal.throwIfAborted();
      if (chunks === 0) throw malformedAnswer(context, 'gave an empty answer');
      if (!reader.finished) throw unavailable(context, 'broke off its answer');
      if (reader.malformed) throw malformedAnswer(context, reader.malformed);
      yield { type: 'finish', response: reader.response() };
    } catch (thrown) {
      throw call.failure(chunks > 0 ? asCut(context, thrown) : thrown);
    } finally {
      call.end();
    }
  }

  async getModels(options: CallOptions = {}): Promise<ModelInfo[]> {
    const found: ModelInfo[] = [];
    await this.#ask(options, async (client, config) => {
      for await (const model of await client.models.list({ config: { ...config, pageSize: 1000 } })) {
        const id = model.name?.replace(/^.*models\//, '');
        // Vertex does not say what its models can do.
        if (id && (model.supportedActions?.includes('generateContent') ?? true)) found.push(describe(id, model));
      }
    });
    return found;
  }

  getCapabilities(): ProviderCapabilities {
    return { streaming: true, tools: true, vision: true, thinking: true, promptCache: true, structuredOutput: true };
  }

  async getHealth(options: CallOptions = {}): Promise<ProviderHealth> {
    return healthOf(() =>
      this.#ask(options, (client, config) => client.models.list({ config: { ...config, pageSize: 1 } })),
    );
  }

  async isAvailable(options?: CallOptions): Promise<boolean> {
    return (await this.getHealth(options)).status === 'healthy';
  }

  async close(): Promise<void> {
    this.#client = undefined;
  }

  async #ask(options: CallOptions, use: (client: GoogleGenAI, config: Transport) => Promise<unknown>): Promise<void> {
    const context = this.#context();
    const client = this.#open();
    const call = beginCall(context, this.#settings, options);
    try {
      await use(client, this.#transport(context, call));
    } catch (thrown) {
      throw call.failure(thrown);
    } finally {
      call.end();
    }
  }

  /** Of one call. The SDK would drop the headers of errors; the call's own signal keeps the time. */
  #transport(context: ErrorContext, call: Call): Transport {
    return { abortSignal: call.signal, httpOptions: { fetch: checkedFetch(() => context) } };
  }

  #open(): GoogleGenAI {
    this.#client ??= connect(this.#settings);
    return this.#client;
  }

  #context(model?: string): ErrorContext {
    return { provider: providerName, model, secrets: secretsOf(this.#settings) };
  }
}

interface Transport {
  abortSignal: AbortSignal;
  httpOptions: HttpOptions;
}

function connect({ apiKey, baseUrl, headers, project, location, keyFile }: GeminiSettings): GoogleGenAI {
  // The SDK puts the version behind the address itself, by default one that lacks what is new.
  const [, address, version] = /^(.*?)\/*(v1(?:beta\d*)?)?\/*$/.exec(baseUrl ?? '') ?? [];
  const httpOptions = {
    ...(headers ? { headers } : {}),
    ...(address ? { baseUrl: address } : {}),
    apiVersion: version ?? (project ? 'v1beta1' : 'v1beta'),
  };
  if (project) {
    return new GoogleGenAI({
      vertexai: true,
      project,
      location: location ?? 'global',
      httpOptions,
      ...(keyFile ? { googleAuthOptions: { keyFilename: keyFile } } : {}),
    });
  }
  const inHeaders = Object.keys(headers ?? {}).some((name) => /^(?:authorization|x-goog-api-key)$/i.test(name));
  if (!apiKey && !inHeaders) throw notConfigured(providerName, 'an API key or a Vertex project', 'GEMINI_API_KEY');
  return new GoogleGenAI({
    vertexai: false,
    apiKey: apiKey ?? 'none',
    httpOptions: { baseUrl: 'https://generativelanguage.googleapis.com', ...httpOptions },
  });
}

/** The SDK's words for a stream that ends within a message; without a message before it, it was none from the start. */
function asCut(context: ErrorContext, thrown: unknown): unknown {
  return thrown instanceof Error && thrown.message.startsWith('Incomplete JSON segment')
    ? unavailable(context, 'broke off its answer', thrown)
    : thrown;
}

function describe(id: string, model: Model): ModelInfo {
  const known = modelInfo(providerName, id);
  return {
    tools: true,
    vision: true,
    structuredOutput: true,
    promptCache: true,
    ...known,
    provider: providerName,
    id,
    ...(model.displayName ? { name: model.displayName } : {}),
    thinking: model.thinking ?? known?.thinking ?? false,
    ...(model.inputTokenLimit ? { contextTokens: model.inputTokenLimit } : {}),
    ...(model.outputTokenLimit ? { maxOutputTokens: model.outputTokenLimit } : {}),
  };
}
