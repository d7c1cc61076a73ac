import { HelixError } from '../../contracts/error.ts';
import type { LlmProvider, ProviderSettings } from '../provider.ts';
import { nearestNames } from '../../contracts/nearest-names.ts';

/** A provider's module is loaded when it is first opened, so that nobody waits for an SDK that is not used. */
const providers: Record<string, (settings: ProviderSettings) => Promise<LlmProvider>> = {
  anthropic: async (settings) => (await import('./anthropic/provider.ts')).openAnthropic(settings),
  gemini: async (settings) => (await import('./gemini/provider.ts')).openGemini(settings),
  openai: async (settings) => (await import('./openai/provider.ts')).openOpenAi(settings),
  xai: async (settings) => (await import('./xai/provider.ts')).openXai(settings),
  qwen: async (settings) => (await import('./qwen/provider.ts')).openQwen(settings),
  openrouter: async (settings) => (await import('./openrouter/provider.ts')).openOpenRouter(settings),
  copilot: async (settings) => (await import('./copilot/provider.ts')).openCopilot(settings),
  ollama: async (settings) => (await import('./ollama/provider.ts')).openOllama(settings),
  llamacpp: async (settings) => (await import('./llamacpp/provider.ts')).openLlamaCpp(settings),
  compatible: async (settings) => (await import('./compatible/provider.ts')).openCompatible(settings),
};

/** Every provider there is, as it stands before the `/` of `anthropic/claude-...`. */
export const providerNames: readonly string[] = Object.keys(providers);

/** Settings that a provider has beside those of all. */
type OwnSettings = Record<string, unknown>;

/**
 * Opens a provider. Nothing is asked of it yet: one without a key opens, says `unconfigured` of its health, and refuses calls with `llm.not-configured`.
 * Errors: `usage.invalid` when there is no such provider.
 */
export async function openProvider(
  name: string,
  settings: ProviderSettings | (ProviderSettings & OwnSettings),
): Promise<LlmProvider> {
  const open = Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (open) return open(settings);
  const near = nearestNames(name, providerNames);
  throw new HelixError(
    'usage.invalid',
    `There is no provider of models called ${name}.${near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ''} ` +
      `Known are ${providerNames.join(', ')}.`,
    { details: { provider: name, known: providerNames } },
  );
}
