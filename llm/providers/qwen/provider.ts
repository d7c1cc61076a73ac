import { qwenToken } from '../../auth/qwen.ts';
import type { QwenIssuer } from '../../auth/qwen.ts';
import type { Token, TokenStore } from '../../auth/token-store.ts';
import type { LlmRequest } from '../../../contracts/llm.ts';
import { modelInfo } from '../../models/catalog.ts';
import type { LlmProvider, ProviderSettings } from '../../provider.ts';
import { thinkingWish } from '../../thinking.ts';
import { withCacheMarks } from '../openai/cache-marks.ts';
import type { CredentialSource } from '../openai/connection.ts';
import type { Dialect, WireBody } from '../openai/dialect.ts';
import { keyCredentials } from '../openai/settings.ts';
import { WireProvider } from '../openai/wire-provider.ts';

export interface QwenSettings extends ProviderSettings {
  /** Where the token of a login is kept; used when there is no API key. */
  tokens?: TokenStore | undefined;
  issuer?: Partial<QwenIssuer> | undefined;
}

const keyBaseUrl = 'https://dashscope.aliyuncs.com/compatible-mode/v1';
const accountBaseUrl = 'https://portal.qwen.ai/v1';

const dialect: Dialect = {
  name: 'qwen',
  systemRole: 'system',
  maxTokensField: 'max_tokens',
  replayReasoning: 'turn',
  asksForUsage: true,
  adapt: (body, request) => {
    const asked = { ...body, ...thinking(request) };
    return request.cache ? withCacheMarks(asked) : asked;
  },
  modelInfo: (entry) => ({
    tools: true,
    vision: /vl|vision|omni/.test(entry.id),
    thinking: /^qw|coder-model/.test(entry.id),
    structuredOutput: true,
    promptCache: true,
    ...modelInfo('qwen', entry.id),
    provider: 'qwen',
    id: entry.id,
  }),
};

/** Qwen: DashScope by an API key, or a Qwen account by its login. */
export function openQwen(settings: QwenSettings): LlmProvider {
  return new WireProvider({
    dialect,
    settings,
    credentials: settings.apiKey || !settings.tokens ? byKey(settings) : byLogin(settings, settings.tokens),
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

function byKey(settings: QwenSettings): CredentialSource {
  const headers = { 'x-dashscope-cachecontrol': 'enable', ...settings.headers };
  return keyCredentials('qwen', { ...settings, headers }, keyBaseUrl, 'DASHSCOPE_API_KEY');
}

function byLogin({ baseUrl, headers, issuer }: QwenSettings, store: TokenStore): CredentialSource {
  const token = qwenToken(store, issuer);
  const credentials = ({ accessToken, baseUrl: told }: Token) => ({
    apiKey: accessToken,
    baseUrl: baseUrl ?? told ?? accountBaseUrl,
    headers: { 'x-dashscope-cachecontrol': 'enable', 'x-dashscope-authtype': 'qwen-oauth', ...headers },
  });
  return {
    get: async ({ signal }) => credentials(await token.get(signal)),
    renew: async ({ apiKey }, { signal }) => credentials(await token.replace(apiKey, signal)),
  };
}

function thinking(request: LlmRequest): WireBody {
  // Other vendors' models on DashScope do not know the switch.
  if (!/^(?:qw|coder-model)/.test(request.model)) return {};
  const { wanted } = thinkingWish(request);
  if (wanted === 'unsaid') return {};
  const budget = request.thinking.budgetTokens;
  return {
    enable_thinking: wanted === 'yes',
    ...(wanted === 'yes' && budget !== undefined ? { thinking_budget: budget } : {}),
  };
}
