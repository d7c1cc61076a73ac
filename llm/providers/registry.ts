import { HelixError } from '../../contracts/error.ts';
import type { LlmProvider, ProviderSettings } from '../provider.ts';
import { nearestModels } from '../models/nearest.ts';

/** A provider's module is loaded when it is first opened, so that nobody waits for an SDK that is not used. */
const providers: Record<string, (settings: ProviderSettings) => Promise<LlmProvider>> = {};

/** Every provider there is, as it stands before the `/` of `anthropic/claude-...`. */
export const providerNames: readonly string[] = Object.keys(providers);

/**
 * Opens a provider; nothing is asked of it yet. `settings` are those of ProviderSettings and the provider's own beside them.
 * Errors: `usage.invalid` when there is no such provider, `llm.not-configured` when it lacks a key or an address.
 */
export async function openProvider<Settings extends ProviderSettings>(
  name: string,
  settings: Settings,
): Promise<LlmProvider> {
  const open = Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (open) return open(settings);
  const near = nearestModels(name, providerNames);
  throw new HelixError(
    'usage.invalid',
    `There is no provider of models called ${name}.${near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ''} ` +
      `Known are ${providerNames.join(', ')}.`,
    { details: { provider: name, known: providerNames } },
  );
}
