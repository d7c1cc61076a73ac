import type { LlmRequest } from '../../../contracts/llm.ts';
import type { LlmProvider, ProviderSettings } from '../../provider.ts';
import { thinkingWish } from '../../thinking.ts';
import { cacheKey } from './chat-request.ts';
import type { Dialect, WireBody } from './dialect.ts';
import { isReasoningModel, leastEffort, openAiModelInfo } from './models.ts';
import { keyCredentials } from './settings.ts';
import { WireProvider } from './wire-provider.ts';
import type { WireApi } from './wire-provider.ts';

export interface OpenAiSettings extends ProviderSettings {
  /** Left out: the Responses API at OpenAI itself, chat completions at another base URL and for requests with stop sequences. */
  api?: WireApi | undefined;
}

const defaultBaseUrl = 'https://api.openai.com/v1';

const dialect: Dialect = {
  name: 'openai',
  systemRole: 'developer',
  maxTokensField: 'max_completion_tokens',
  replayReasoning: 'never',
  asksForUsage: true,
  adapt: (body, request) => {
    const reasons = isReasoningModel(request.model);
    const effort = reasons ? effortFor(request) : undefined;
    return {
      ...withoutSampling(body, reasons),
      ...(effort === undefined ? {} : { reasoning_effort: effort }),
      ...(request.cache ? { prompt_cache_key: cacheKey(request) } : {}),
    };
  },
  modelInfo: openAiModelInfo,
};

/** OpenAI. */
export function openOpenAi(settings: OpenAiSettings): LlmProvider {
  const { baseUrl = defaultBaseUrl, api } = settings;
  const own = URL.canParse(baseUrl) && new URL(baseUrl).hostname.endsWith('.openai.com');
  return new WireProvider({
    dialect,
    settings,
    credentials: keyCredentials('openai', settings, defaultBaseUrl, 'OPENAI_API_KEY'),
    capabilities: {
      streaming: true,
      tools: true,
      vision: true,
      thinking: true,
      promptCache: true,
      structuredOutput: true,
    },
    api: (request) => api ?? (own && request.stop.length === 0 ? 'responses' : 'chat'),
    adaptResponses: reasonResponses,
  });
}

/** Asks a reasoning model for the wished effort, for summaries to show, and for its encrypted reasoning, as nothing is stored. */
export function reasonResponses(body: WireBody, request: LlmRequest): WireBody {
  const reasons = isReasoningModel(request.model);
  const effort = reasons ? effortFor(request) : undefined;
  return {
    ...withoutSampling(body, reasons),
    ...(reasons
      ? {
          reasoning: { ...(effort === undefined ? {} : { effort }), summary: 'auto' },
          include: ['reasoning.encrypted_content'],
        }
      : {}),
    ...(request.cache ? { prompt_cache_key: cacheKey(request) } : {}),
  };
}

function effortFor(request: LlmRequest): string | undefined {
  const { wanted, effort } = thinkingWish(request);
  if (wanted === 'no') return leastEffort(request.model);
  return effort ?? (wanted === 'yes' ? 'medium' : undefined);
}

/** Reasoning models refuse a temperature, so that requests for any model can have one it is left out. */
function withoutSampling(body: WireBody, reasons: boolean): WireBody {
  if (!reasons) return body;
  const { temperature: _, top_p: __, ...rest } = body;
  return rest;
}
