import type { LlmRequest, ModelInfo } from '../../../contracts/llm.ts';
import { copilotToken, editorHeaders } from '../../auth/copilot.ts';
import type { CopilotIssuer } from '../../auth/copilot.ts';
import type { Token, TokenStore } from '../../auth/token-store.ts';
import { modelInfo } from '../../models/catalog.ts';
import type { LlmProvider, ProviderSettings } from '../../provider.ts';
import { notConfigured } from '../call.ts';
import type { CredentialSource } from '../openai/connection.ts';
import type { Dialect } from '../openai/dialect.ts';
import { reasonResponses } from '../openai/provider.ts';
import { member, positive } from '../openai/wire.ts';
import type { WireModel } from '../openai/wire.ts';
import { WireProvider } from '../openai/wire-provider.ts';

/** `apiKey` is a token of GitHub; without it that of the login is taken. */
export interface CopilotSettings extends ProviderSettings {
  /** Where the tokens are kept. */
  tokens?: TokenStore | undefined;
  issuer?: Partial<CopilotIssuer> | undefined;
}

const defaultBaseUrl = 'https://api.githubcopilot.com';

const dialect: Dialect = {
  name: 'copilot',
  systemRole: 'system',
  maxTokensField: 'max_tokens',
  replayReasoning: 'always',
  asksForUsage: true,
  adapt: (body) => body,
  modelInfo: copilotModelInfo,
};

/** GitHub Copilot's models. */
export function openCopilot(settings: CopilotSettings): LlmProvider {
  return new WireProvider({
    dialect,
    settings,
    credentials: byToken(settings),
    capabilities: {
      streaming: true,
      tools: true,
      vision: true,
      thinking: true,
      promptCache: true,
      structuredOutput: true,
    },
    // The newer models of OpenAI are served by the Responses API alone.
    api: ({ model }) => (/^gpt-(?:[5-9]|\d\d)/.test(model) && !model.startsWith('gpt-5-mini') ? 'responses' : 'chat'),
    adaptResponses: (body, request) => {
      const { prompt_cache_key: _, ...rest } = reasonResponses(body, request);
      return rest;
    },
    headers: requestHeaders,
  });
}

function byToken({ tokens, apiKey, baseUrl, headers, issuer }: CopilotSettings): CredentialSource {
  const token = tokens && copilotToken(tokens, apiKey, issuer);
  const credentials = ({ accessToken, baseUrl: told }: Token) => ({
    apiKey: accessToken,
    baseUrl: baseUrl ?? told ?? defaultBaseUrl,
    headers: { ...editorHeaders, ...headers },
  });
  return {
    get: async ({ signal }) => {
      if (!token) throw notConfigured('copilot', 'a login to GitHub', 'tokens');
      return credentials(await token.get(signal));
    },
    ...(token ? { renew: async ({ apiKey }, { signal }) => credentials(await token.replace(apiKey, signal)) } : {}),
  };
}

/** Copilot counts calls of the user against the plan, and wants to be told of images. */
function requestHeaders({ messages }: LlmRequest): Record<string, string> {
  const images = messages.some(
    (message) =>
      (message.role === 'user' && message.content.some((part) => part.type === 'image')) ||
      (message.role === 'tool' &&
        message.content.some((result) => result.content.some((part) => part.type === 'image'))),
  );
  return {
    'openai-intent': 'conversation-agent',
    'x-initiator': messages.at(-1)?.role === 'user' ? 'user' : 'agent',
    ...(images ? { 'copilot-vision-request': 'true' } : {}),
  };
}

function copilotModelInfo(entry: WireModel): ModelInfo {
  const limits = member(entry['capabilities'], 'limits');
  const supports = member(entry['capabilities'], 'supports');
  const context = positive(member(limits, 'max_context_window_tokens'));
  const output = positive(member(limits, 'max_output_tokens'));
  const known = modelInfo('copilot', entry.id);
  return {
    promptCache: true,
    ...known,
    provider: 'copilot',
    id: entry.id,
    ...(typeof entry['name'] === 'string' ? { name: entry['name'] } : {}),
    ...(context === undefined ? {} : { contextTokens: context }),
    ...(output === undefined ? {} : { maxOutputTokens: output }),
    tools: member(supports, 'tool_calls') === true,
    vision: member(supports, 'vision') === true,
    thinking:
      known?.thinking ??
      (member(supports, 'reasoning_effort') !== undefined ||
        positive(member(supports, 'max_thinking_budget')) !== undefined),
    structuredOutput: member(supports, 'structured_outputs') === true,
  };
}
