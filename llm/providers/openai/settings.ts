import type { ProviderSettings } from '../../provider.ts';
import { notConfigured } from '../call.ts';
import type { CredentialSource } from './connection.ts';

/** The key and address of the settings, the same for every call; a call without a key is `llm.not-configured`. `variable` is the vendor's own. */
export function keyCredentials(
  name: string,
  settings: ProviderSettings,
  defaultBaseUrl: string,
  variable: string,
): CredentialSource {
  const { apiKey, baseUrl = defaultBaseUrl, headers } = settings;
  return {
    get: async () => {
      if (!apiKey) throw notConfigured(name, 'an API key', variable);
      return { apiKey, baseUrl, headers };
    },
  };
}
