import type { LlmRequest, ModelInfo, Price } from '../../../contracts/llm.ts';
import type { LlmProvider, ProviderSettings } from '../../provider.ts';
import { thinkingWish } from '../../thinking.ts';
import { withCacheMarks } from '../openai/cache-marks.ts';
import type { Dialect } from '../openai/dialect.ts';
import { keyCredentials } from '../openai/settings.ts';
import { member, positive } from '../openai/wire.ts';
import type { WireModel } from '../openai/wire.ts';
import { WireProvider } from '../openai/wire-provider.ts';

export interface OpenRouterSettings extends ProviderSettings {
  /** By which OpenRouter tells its users' programs apart, in its rankings. */
  title?: string | undefined;
  referer?: string | undefined;
}

const dialect: Dialect = {
  name: 'openrouter',
  systemRole: 'system',
  maxTokensField: 'max_tokens',
  replayReasoning: 'always',
  asksForUsage: true,
  adapt: (body, request) => {
    const asked = { ...body, ...reasoning(request), usage: { include: true } };
    // Anthropic's models cache nothing without marks; the others do it on their own.
    return request.cache && request.model.startsWith('anthropic/') ? withCacheMarks(asked) : asked;
  },
  reportedCost: (usage) => {
    const cost = usage['cost'];
    if (typeof cost !== 'number' || cost < 0) return undefined;
    // With a key of one's own the model's provider is paid beside OpenRouter.
    const upstream = usage['is_byok'] === true ? member(usage['cost_details'], 'upstream_inference_cost') : 0;
    return cost + (typeof upstream === 'number' ? upstream : 0);
  },
  modelInfo,
};

/**
 * OpenRouter. Its own settings of a request go through `providerOptions.openrouter`: `provider` (preferences), `models` and `route` (fallbacks),
 * `plugins`, `transforms`.
 */
export function openOpenRouter(settings: OpenRouterSettings): LlmProvider {
  const { title = 'HelixCode', referer } = settings;
  const headers = { 'x-title': title, ...(referer ? { 'http-referer': referer } : {}), ...settings.headers };
  return new WireProvider({
    dialect,
    settings,
    credentials: keyCredentials(
      'openrouter',
      { ...settings, headers },
      'https://openrouter.ai/api/v1',
      'OPENROUTER_API_KEY',
    ),
    capabilities: {
      streaming: true,
      tools: true,
      vision: true,
      thinking: true,
      promptCache: true,
      structuredOutput: true,
    },
    // Its models are public: only this tells whether the key is good.
    healthPath: '/key',
  });
}

function reasoning(request: LlmRequest): object {
  const { wanted, effort } = thinkingWish(request);
  const budget = request.thinking.budgetTokens;
  if (wanted === 'no') return { reasoning: { enabled: false } };
  if (wanted === 'unsaid' && effort === undefined) return {};
  return { reasoning: budget === undefined ? { effort: effort ?? 'medium' } : { max_tokens: budget } };
}

function modelInfo(entry: WireModel): ModelInfo {
  const parameters = Array.isArray(entry['supported_parameters']) ? (entry['supported_parameters'] as unknown[]) : [];
  const modalities = member(entry['architecture'], 'input_modalities');
  const context = positive(entry['context_length']);
  const output = positive(member(entry['top_provider'], 'max_completion_tokens'));
  const price = priceOf(entry['pricing']);
  return {
    provider: 'openrouter',
    id: entry.id,
    ...(typeof entry['name'] === 'string' ? { name: entry['name'] } : {}),
    ...(context === undefined ? {} : { contextTokens: context }),
    ...(output === undefined ? {} : { maxOutputTokens: output }),
    tools: parameters.includes('tools'),
    vision: Array.isArray(modalities) && modalities.includes('image'),
    thinking: parameters.includes('reasoning'),
    structuredOutput: parameters.includes('structured_outputs'),
    promptCache: price?.cacheRead !== undefined,
    ...(price === undefined ? {} : { price }),
  };
}

/** OpenRouter's prices are dollars for one token, as text; negative where a router picks the model and nobody knows. */
function priceOf(pricing: unknown): Price | undefined {
  const [input, output, cacheRead, cacheWrite] = ['prompt', 'completion', 'input_cache_read', 'input_cache_write'].map(
    (name) => {
      const dollars = Number(member(pricing, name) ?? Number.NaN);
      // Rounded, for a price for a million is not 0.7999999999999999.
      return Number.isFinite(dollars) && dollars >= 0 ? Number((dollars * 1e6).toPrecision(12)) : undefined;
    },
  );
  if (input === undefined || output === undefined) return undefined;
  return { input, output, ...(cacheRead ? { cacheRead } : {}), ...(cacheWrite ? { cacheWrite } : {}) };
}
