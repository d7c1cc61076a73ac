import { HelixError } from '../../../contracts/error.ts';
import { modelInfo } from '../../models/catalog.ts';
import type { LlmProvider, ProviderSettings } from '../../provider.ts';
import { thinkingWish } from '../../thinking.ts';
import type { Dialect } from '../openai/dialect.ts';
import { keyCredentials } from '../openai/settings.ts';
import { positive } from '../openai/wire.ts';
import { WireProvider } from '../openai/wire-provider.ts';

/** A dollar in the unit in which xAI reports what a call cost. */
const ticksPerDollar = 1e10;

const dialect: Dialect = {
  name: 'xai',
  systemRole: 'system',
  maxTokensField: 'max_completion_tokens',
  replayReasoning: 'turn',
  asksForUsage: true,
  adapt: (body, request) => {
    const { wanted, effort } = thinkingWish(request);
    const efforts = effortsOf(request.model);
    const wished =
      wanted === 'no'
        ? efforts.includes('none')
          ? 'none'
          : efforts[0]
        : (effort ?? (wanted === 'yes' ? 'high' : undefined));
    if (wished === undefined || efforts.length === 0) return body;
    return { ...body, reasoning_effort: efforts.includes(wished) ? wished : 'high' };
  },
  reportedCost: (usage) => {
    const ticks = usage['cost_in_usd_ticks'];
    return typeof ticks === 'number' && ticks >= 0 ? ticks / ticksPerDollar : undefined;
  },
  modelInfo: (entry) => {
    const context = positive(entry['context_length']);
    const conversation = !/image|video|imagine/.test(entry.id);
    return {
      provider: 'xai',
      id: entry.id,
      ...(context === undefined ? {} : { contextTokens: context }),
      tools: conversation,
      vision: conversation && !/^grok-(?:3|code)/.test(entry.id),
      thinking: conversation && !/non-reasoning|^grok-[23](?!-mini)/.test(entry.id),
      structuredOutput: conversation,
      promptCache: true,
      ...modelInfo('xai', entry.id),
    };
  },
};

/**
 * xAI. Its own settings of a request, live search among them, go through `providerOptions.xai`: `search_parameters`, `web_search_options`, and
 * tools of its own.
 */
export function openXai(settings: ProviderSettings): LlmProvider {
  return new WireProvider({
    dialect,
    settings,
    explain: wrongKey,
    credentials: keyCredentials('xai', settings, 'https://api.x.ai/v1', 'XAI_API_KEY'),
    capabilities: {
      streaming: true,
      tools: true,
      vision: true,
      thinking: true,
      promptCache: true,
      structuredOutput: true,
    },
  });
}

/** xAI calls a wrong key a wrong argument. */
function wrongKey(failure: unknown): unknown {
  if (!(failure instanceof HelixError) || failure.code !== 'llm.invalid-request') return failure;
  if (!/incorrect api key/i.test(failure.message)) return failure;
  return new HelixError('llm.authentication', 'xai does not accept the key. Check the key configured for xai.', {
    details: failure.details,
  });
}

/** The efforts a model takes; most of xAI's reasoning models refuse all of them. */
function effortsOf(model: string): readonly string[] {
  if (/^grok-3-mini/.test(model)) return ['low', 'high'];
  if (/^grok-4\.3(?!\d)/.test(model)) return ['none', 'low', 'medium', 'high'];
  return /^grok-(?:4\.[4-9](?!\d)|[5-9])/.test(model) ? ['low', 'medium', 'high'] : [];
}
