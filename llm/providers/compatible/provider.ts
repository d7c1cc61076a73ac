import type { ModelInfo } from '../../../contracts/llm.ts';
import type { LlmProvider, ProviderSettings } from '../../provider.ts';
import { thinkingWish } from '../../thinking.ts';
import { notConfigured } from '../call.ts';
import type { Dialect } from '../openai/dialect.ts';
import { positive } from '../openai/wire.ts';
import type { WireModel } from '../openai/wire.ts';
import { WireProvider } from '../openai/wire-provider.ts';

export interface CompatibleSettings extends ProviderSettings {
  /** By which models are named (`NAME/model`) and options given; `compatible` when left out. */
  name?: string | undefined;
  /** Which answers get their reasoning back; that of the current turn when left out, as open models are trained. */
  replayReasoning?: Dialect['replayReasoning'] | undefined;
  /** False for servers that cannot stream calls of tools. */
  streams?: boolean | undefined;
  /** False for old servers that refuse `stream_options`. */
  asksForUsage?: boolean | undefined;
}

/** Any server that speaks OpenAI's chat completions: vLLM, LM Studio, LocalAI, llama-server … A call without a base URL is `llm.not-configured`. */
export function openCompatible(settings: CompatibleSettings): LlmProvider {
  const { name = 'compatible', baseUrl, apiKey, headers } = settings;
  return new WireProvider({
    dialect: {
      name,
      systemRole: 'system',
      maxTokensField: 'max_tokens',
      replayReasoning: settings.replayReasoning ?? 'turn',
      asksForUsage: settings.asksForUsage ?? true,
      adapt: (body, request) => {
        // Servers of models that do not think refuse an effort, so it is sent only when somebody asked for it.
        const { wanted, effort } = thinkingWish(request);
        return wanted === 'yes' ? { ...body, reasoning_effort: effort ?? 'medium' } : body;
      },
      modelInfo: (entry) => compatibleModelInfo(name, entry),
    },
    settings,
    streams: settings.streams,
    credentials: {
      get: async () => {
        if (!baseUrl) throw notConfigured(name, 'a base URL', `HELIX_LLM_${name.toUpperCase()}_BASE_URL`);
        return { baseUrl, apiKey: apiKey || undefined, headers };
      },
    },
    capabilities: {
      streaming: true,
      tools: true,
      vision: true,
      thinking: true,
      promptCache: false,
      structuredOutput: true,
    },
  });
}

/** What such servers say of a model beside its id, each in its own way. Nobody says what it can do, so it is trusted with tools alone. */
function compatibleModelInfo(provider: string, entry: WireModel): ModelInfo {
  const context =
    positive(entry['max_model_len']) ??
    positive(entry['max_context_length']) ??
    positive(entry['context_length']) ??
    positive(entry['context_window']) ??
    positive((entry['meta'] as { n_ctx?: unknown } | null | undefined)?.n_ctx);
  return {
    provider,
    id: entry.id,
    ...(context === undefined ? {} : { contextTokens: context }),
    tools: true,
    vision: entry['type'] === 'vlm',
    thinking: false,
    structuredOutput: true,
    promptCache: false,
  };
}
